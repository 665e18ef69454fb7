"""One self-contained page that shows samples in a browser with WebGL2: no network, no dependency."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bev3d._files import write_text
from bev3d.data._sample import Detections, Sample
from bev3d.viz._layer import heatmap_layer
from bev3d.viz._payload import frame_payload
from bev3d.viz._scene import detection_boxes, truth_boxes
from bev3d.viz._style import OTHER_CLASS, class_colours, theme_named

__all__ = ["write_html"]

SCRIPTS = ("_viewer_math.js", "_viewer_gl.js", "_viewer.js")


def write_html(
    samples: Sample | Sequence[Sample],
    path: str | os.PathLike[str],
    *,
    detections: Detections | Mapping[str, Detections] | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    title: str | None = None,
    theme: str = "dark",
    max_points: int = 200_000,
) -> Path:
    """Write a page with orbit, pan and zoom, switches for what is shown, and a slider over several samples.

    A scan of 130,000 points makes a page of about a megabyte. The page needs WebGL2 and ``DecompressionStream``
    (Chrome 80, Firefox 113, Safari 16.4).

    Args:
        samples: one, or several for the frame slider.
        path: the HTML file; it appears whole or not at all.
        detections: of the one sample, or by token. All of them travel; the page's slider begins at
            ``score_threshold``.
        targets, heatmap: as in :func:`bev_figure` for one sample, or mappings of such by token.
        task, range_m: as in :func:`bev_figure`.
        score_threshold: where the page's score slider begins.
        title: of the page.
        theme: ``"dark"`` or ``"light"``.
        max_points: of a sample with more points, every n-th is kept.

    Raises:
        ValueError: no sample, no point allowed, or a heatmap without its range.
    """
    frames = [samples] if isinstance(samples, Sample) else list(samples)
    if not frames:
        raise ValueError("samples: expected at least one sample, got none")
    if max_points < 1:
        raise ValueError(f"max_points: expected a number > 0, got {max_points}")
    look = theme_named(theme)
    payloads = []
    for sample in frames:
        layer = heatmap_layer(
            targets=_of(targets, sample.token), heatmap=_of(heatmap, sample.token), range_m=range_m, task=task
        )
        found = detection_boxes(_of(detections, sample.token), score_threshold=0.0, theme=theme)
        payloads.append(frame_payload(sample, truth_boxes(sample, theme=theme), found, layer, max_points=max_points))
    names = list(dict.fromkeys(name for sample in frames for name in sample.class_names))
    data = {
        "frames": payloads,
        "colours": class_colours([*names, OTHER_CLASS], theme=theme),
        "ramps": {"height": look.points, "heat": look.heat},
        "ground": look.panel,
        "grid": look.grid,
        "contrast": look.contrast,
        "offset": look.offset,
        "score": score_threshold,
    }
    heading = title or (frames[0].token if len(frames) == 1 else f"{len(frames)} samples")
    write_text(path, _page(heading, data, look.background, look.panel, look.text, look.muted, look.grid))
    return Path(path)


def _of(value: Any, token: str) -> Any:
    return value.get(token) if isinstance(value, Mapping) else value


def _page(title: str, data: Mapping[str, Any], *colours: str) -> str:
    folder = files("bev3d.viz")
    names = ("--background", "--panel", "--text", "--muted", "--line")
    variables = ":root{" + ";".join(f"{n}:{c}" for n, c in zip(names, colours, strict=True)) + "}\n"
    # "<" cannot end a script element when it is written as an escape
    numbers = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": html.escape(title),
        "style": variables + (folder / "_viewer.css").read_text(encoding="utf-8"),
        "script": "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": numbers,
    }
    page = (folder / "_viewer.html").read_text(encoding="utf-8")
    head, *rest = page.split("{{")
    pieces = [head]
    for part in rest:
        name, after = part.split("}}", 1)
        pieces += [parts[name], after]
    return "".join(pieces)
