"""The frames in which an audit found most, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.audit._report import COLUMNS, AuditReport
from bev3d.boxes import Box
from bev3d.data import Dataset, Sample
from bev3d.viz import bev_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ShownFrame", "choose_frames", "draw_frame"]

# how much one box of a flaw says about a frame; a flaw of whole data sets, as the least radius, says nothing
WEIGHTS: Mapping[str, float] = {
    "non_finite": 8.0,
    "duplicate": 5.0,
    "yaw_against_velocity": 4.0,
    "size_outlier": 3.0,
    "over_max_objects": 2.0,
    "collided": 2.0,
    "out_of_range_z": 1.5,
    "too_few_points": 0.3,
    "without_points": 0.2,
    "out_of_range": 0.2,
}
MOST_OF_A_FLAW = 4  # boxes of one flaw that count, so that twenty boxes out of range do not hide a duplicate
# flaws of what lies far away or is hidden: ringed without words
MILD = ("too_few_points", "without_points", "out_of_range")
WORDS = {**COLUMNS, "out_of_range_z": "outside by z"}
MARKED = 20
RED, GREY = "#ff5c61", "#9aa7b4"


@dataclass(frozen=True)
class ShownFrame:
    """A frame of the page.

    Attributes:
        position: in the split.
        token: of the sample.
        flaws: flaw -> indices of boxes in the sample.
    """

    position: int
    token: str
    flaws: Mapping[str, tuple[int, ...]]

    @property
    def caption(self) -> str:
        """What is wrong with which boxes."""
        parts = []
        for flaw, found in self.flaws.items():
            # told once: by z alone is out of range, no points are too few
            more = {"out_of_range": "out_of_range_z", "too_few_points": "without_points"}.get(flaw, "")
            boxes = [box for box in found if box not in self.flaws.get(more, ())]
            if not boxes:
                continue
            shown = ", ".join(map(str, boxes[:8])) + (f" and {len(boxes) - 8} more" if len(boxes) > 8 else "")
            parts.append(f"{WORDS[flaw]}: box {shown}" if len(boxes) == 1 else f"{WORDS[flaw]}: boxes {shown}")
        return f"Frame {self.token}. " + "; ".join(parts) + "."


def choose_frames(report: AuditReport, most: int) -> list[ShownFrame]:
    """The frames that show most, each new one preferred for what the ones before do not show."""
    boxes = report.boxes
    frames = len(report.tokens)
    count = {flaw: np.bincount(boxes.sample[boxes.flaws[flaw]], minlength=frames) for flaw in WEIGHTS}
    seen = dict.fromkeys(WEIGHTS, 0)
    chosen: list[ShownFrame] = []
    taken = np.zeros(frames, bool)
    for _ in range(min(most, frames)):
        worth = sum(WEIGHTS[flaw] * np.minimum(count[flaw], MOST_OF_A_FLAW) / (1 + 2 * seen[flaw]) for flaw in WEIGHTS)
        worth = np.where(taken, -1.0, worth)
        best = int(np.argmax(worth))
        if worth[best] <= 0:
            break
        taken[best] = True
        mine = boxes.sample == best
        flaws = {flaw: tuple(boxes.index[mine & boxes.flaws[flaw]].tolist()) for flaw in WEIGHTS if count[flaw][best]}
        for flaw in flaws:
            seen[flaw] += 1
        chosen.append(ShownFrame(best, report.tokens[best], flaws))
    return chosen


def draw_frame(shown: ShownFrame, dataset: Dataset, report: AuditReport, file: Path, *, theme: str = "dark") -> Path:
    """The frame from above with the grid's border; boxes with a flaw are ringed and named."""
    sample = _load(dataset, shown.position)
    figure = bev_figure(sample, title=shown.token, theme=theme)
    axes = figure.axes[0]
    _border(axes, report)
    marks: dict[int, list[str]] = {}
    for flaw, boxes in shown.flaws.items():
        for box in boxes:
            marks.setdefault(box, []).append(flaw)
    # the worst last, on top
    for box, flaws in sorted(marks.items(), key=lambda mark: WEIGHTS[mark[1][0]])[-MARKED:]:
        words = [WORDS[flaw] for flaw in flaws if flaw not in MILD]
        _mark(axes, sample.boxes[box], f"{box} {', '.join(words)}" if words else "")
    return save_figure(figure, file)


def _load(dataset: Dataset, position: int) -> Sample:
    try:
        return dataset[position]
    except (DataFormatError, OSError):
        return dataset.annotations(position)  # labels alone are still worth a picture


def _border(axes: Axes, report: AuditReport) -> None:
    from matplotlib.patches import Rectangle

    x0, y0, _, x1, y1, _ = report.config.range_m
    axes.add_patch(
        Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=RED, lw=0.9, ls=(0, (5, 3)), alpha=0.7, zorder=3)
    )


def _mark(axes: Axes, box: NDArray[np.float64], text: str) -> None:
    """A ring around a box that lies in the picture; red with words, grey without."""
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    x, y = (float(value) for value in box[Box.BEV_CENTRE])
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    if not (x0 <= x <= x1 and y0 <= y <= y1):  # or NaN
        return
    size = box[Box.BEV_SIZE]
    radius = max(1.5, 0.65 * float(size.max())) if np.isfinite(size).all() else 1.5
    axes.add_patch(Circle((x, y), radius, fill=False, ec=RED if text else GREY, lw=1.1 if text else 0.7, zorder=7))
    if text:
        outline = [withStroke(linewidth=2, foreground=axes.get_facecolor())]
        axes.annotate(
            text, (x, y), xytext=(6, 8), textcoords="offset points", fontsize=7, color=RED, zorder=8,
            path_effects=outline,
        )  # fmt: skip
