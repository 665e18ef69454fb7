"""Title, legend and scores over a rendered image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.viz._camera import Camera
from bev3d.viz._figure import new_figure, save_figure
from bev3d.viz._stage import Stage
from bev3d.viz._style import mix

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

__all__ = ["write_captioned"]

DPI = 100


def write_captioned(
    image: NDArray[np.floating], path: str | os.PathLike[str], stage: Stage, camera: Camera, title: str
) -> None:
    """Write an (H, W, 3) image as PNG of the same size, with a title, the classes and the scores on it."""
    from matplotlib.patheffects import withStroke

    height, width = image.shape[:2]
    figure = new_figure(width / DPI, height / DPI, stage.theme)
    figure.set_dpi(DPI)
    figure.figimage(np.clip(image, 0, 1))
    halo = [withStroke(linewidth=2.5, foreground=stage.theme.panel)]
    margin = 22
    figure.text(
        margin / width, 1 - margin / height, title, color=stage.theme.text, fontsize=12, weight="bold", va="top",
        path_effects=halo,
    )  # fmt: skip
    for i, (name, colour, text) in enumerate(_entries(stage)):
        y = 1 - (margin + 30 + 19 * i) / height
        figure.text(margin / width, y, name, color=colour, fontsize=9, va="top", path_effects=halo)
        figure.text((margin + 14) / width, y, text, color=stage.theme.muted, fontsize=9, va="top", path_effects=halo)
    _scores(figure, stage, camera, halo)
    save_figure(figure, path, dpi=DPI)


def _entries(stage: Stage) -> list[tuple[str, str, str]]:
    """Mark, colour and text of each line of the legend."""
    counts = Counter(stage.truth.names)
    colours = dict(zip(stage.truth.names, stage.truth.colours, strict=True))
    rows = [("■", colours[name], f"{name.replace('_', ' ')}  {count}") for name, count in counts.most_common()]
    if len(stage.found):
        rows.append(("┅", stage.theme.contrast, f"detections  {len(stage.found)}"))
    return rows


def _scores(figure: Figure, stage: Stage, camera: Camera, halo: Sequence[AbstractPathEffect]) -> None:
    if stage.found.scores is None or not len(stage.found):
        return
    boxes = stage.found.boxes
    roof = boxes[:, Box.CENTRE] + np.stack([0 * boxes[:, 0], 0 * boxes[:, 0], boxes[:, Box.HEIGHT] / 2 + 0.3], -1)
    at = camera.project(roof)
    width, height = camera.size
    written: list[NDArray[np.floating]] = []
    for i in np.argsort(-stage.found.scores, kind="stable"):
        column, row = at[i]
        if not (0 < column < width - 30 and 12 < row < height):
            continue
        if any(abs(column - other[0]) < 24 and abs(row - other[1]) < 13 for other in written):
            continue
        written.append(at[i])
        figure.text(
            column / width, 1 - row / height, f"{stage.found.scores[i]:.2f}".lstrip("0"), fontsize=7.5, ha="center",
            color=mix(stage.found.colours[i], stage.theme.contrast, 0.5), path_effects=halo,
        )  # fmt: skip
