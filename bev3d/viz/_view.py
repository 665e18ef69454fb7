"""One door to all pictures of a sample: a PNG, a page for the browser, or a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bev3d._check import check_choice
from bev3d._errors import UserError
from bev3d.data._sample import Detections, Sample
from bev3d.viz._bev import overview_figure
from bev3d.viz._figure import save_figure
from bev3d.viz._html import write_html
from bev3d.viz._open3d import has_display, have_open3d, render_open3d, show_open3d

__all__ = ["view"]

BACKENDS = ("auto", "open3d", "matplotlib")


def view(
    sample: Sample,
    *,
    detections: Detections | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    png: str | os.PathLike[str] | None = None,
    html: str | os.PathLike[str] | None = None,
    backend: str = "auto",
    camera: str = "chase",
    theme: str = "dark",
) -> list[Path]:
    """Write the pictures that are asked for, or open a window where none is and a display exists.

    Args:
        sample, detections, targets, heatmap, task, range_m, score_threshold, theme: as in :func:`bev_figure`.
        png: picture to write: by Open3D, or from above by matplotlib where Open3D cannot be used (one line on
            standard error says so) or ``backend`` asks for it.
        html: page to write, see :func:`write_html`.
        backend: ``"auto"``, ``"open3d"`` (its absence is an error) or ``"matplotlib"``.
        camera: view of the Open3D picture: ``"bev"``, ``"chase"`` or ``"oblique"``.

    Returns:
        The files that were written.

    Raises:
        UserError: nothing to write and no display; or the window or the render fails with ``backend="open3d"``.
        MissingPackageError: Open3D is asked for and absent.
    """
    check_choice("backend", backend, BACKENDS)
    shown: dict[str, Any] = {
        "detections": detections, "targets": targets, "heatmap": heatmap, "task": task, "range_m": range_m,
        "score_threshold": score_threshold, "theme": theme,
    }  # fmt: skip
    if png is None and html is None:
        if not has_display():
            raise UserError("no display for a window: give --png FILE or --html FILE to write a picture instead")
        show_open3d(sample, view=camera, **shown)
        return []
    written = []
    if png is not None:
        written.append(_write_png(sample, Path(png), backend, camera, shown))
    if html is not None:
        written.append(write_html(sample, html, **shown))
    return written


def _write_png(sample: Sample, path: Path, backend: str, camera: str, shown: dict[str, Any]) -> Path:
    reason = "" if backend == "matplotlib" else have_open3d().problem
    if backend != "matplotlib" and (not reason or backend == "open3d"):
        try:
            return render_open3d(sample, path, view=camera, **shown)
        except UserError as error:
            if backend == "open3d":
                raise
            reason = str(error)
    if reason:
        print(f"drawing with matplotlib: {reason}", file=sys.stderr)
    return save_figure(overview_figure(sample, **shown), path)
