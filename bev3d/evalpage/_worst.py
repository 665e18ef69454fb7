"""Pictures of the samples with most mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.data import Detections, Sample
from bev3d.evalpage._book import Book
from bev3d.evaluation import Analysis, WorstSample
from bev3d.viz import bev_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Shown", "show_worst"]

MISSED, FALSE = "#ff5c61", "#ff9f1c"


@dataclass(frozen=True, eq=False)
class Shown:
    """A sample as it is drawn.

    Attributes:
        sample: with its points where there are any, and the ground truth that counts.
        found: hits and false detections.
        missed: which boxes of ``sample`` were not found.
        false: which of ``found`` are false.
    """

    sample: Sample
    found: Detections
    missed: NDArray[np.bool_]
    false: NDArray[np.bool_]


def show_worst(book: Book, analysis: Analysis, load: Callable[[WorstSample], Shown], what: str) -> None:
    """The worst samples, one picture each.

    Args:
        book: the page.
        analysis: names them.
        load: gives one to draw.
        what: samples are called, such as ``"samples"``.
    """
    if not analysis.worst:
        return
    about = (
        f"The {what} with most missed objects and false detections together, from the scores of the confusion matrix "
    )
    about += "on. Ground truth solid, detections dashed; solid ring: missed, dashed ring: false detection."
    page = book.page.section(f"Worst {what}", about)
    rows = [(one.token, len(one.hits), len(one.missed), len(one.false)) for one in analysis.worst]
    page.table((what[:-1], "hits", "missed", "false"), rows)
    for i, one in enumerate(analysis.worst):
        shown = load(one)
        caption = f"{one.token}: {len(one.missed)} missed, {len(one.false)} false, {len(one.hits)} hit"
        caption += "." if len(shown.sample.points) else "; its points are not in the data folder."
        book.picture(f"worst_{i}", partial(draw_shown, shown), caption, wide=True)


def draw_shown(shown: Shown, theme: str) -> Figure:
    """One sample from above with rings around what is wrong."""
    scores = shown.found.scores
    lowest = float(np.floor(100 * scores.min()) / 100) if len(scores) else 0.0  # KITTI's need not lie in [0, 1]
    figure = bev_figure(shown.sample, detections=shown.found, score_threshold=lowest, theme=theme)
    axes = figure.axes[0]
    for box in shown.sample.boxes[shown.missed]:
        _ring(axes, box, MISSED, "-")
    for box in shown.found.boxes[shown.false]:
        _ring(axes, box, FALSE, (0, (2.5, 1.5)))
    return figure


def _ring(axes: Axes, box: NDArray[np.float64], colour: str, style: object) -> None:
    from matplotlib.patches import Circle

    x, y = (float(value) for value in box[Box.BEV_CENTRE])
    radius = max(1.3, 0.62 * float(box[Box.BEV_SIZE].max()))
    axes.add_patch(Circle((x, y), radius, fill=False, ec=colour, lw=1.0, ls=style, zorder=7, gid="mistake"))
