"""Every run of an ablation as a dot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bev3d.ablation._score import HEADLINES
from bev3d.ablation._summary import Summary
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import theme_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ablation_figure"]

PANELS = {"nuscenes": ("mAP", "NDS", "mATE", "mASE", "mAOE")}
ROW_IN, PANEL_IN, LABELS_IN = 0.3, 2.1, 1.9


def ablation_figure(summaries: Sequence[Summary], dataset: str) -> Figure:
    """One panel a number, one row a variant: the seeds as rings, their mean as a bar, the base's mean as a line.

    Args:
        summaries: the base first.
        dataset: ``"nuscenes"`` or ``"kitti"``.
    """
    theme = theme_named("light")
    base = summaries[0]
    keys = [key for key in PANELS.get(dataset, tuple(base.scores)) if key in base.scores]
    keys = keys or [key for key in base.scores if key not in HEADLINES[dataset]]
    width, height = LABELS_IN + PANEL_IN * len(keys), 0.9 + ROW_IN * len(summaries)
    figure = new_figure(width, height, theme)
    for i, key in enumerate(keys):
        left, bottom = (LABELS_IN + PANEL_IN * i) / width, 0.4 / height
        axes = figure.add_axes((left, bottom, (PANEL_IN - 0.3) / width, ROW_IN * len(summaries) / height))
        style_axes(axes, theme)
        axes.set_title(key.replace("_", " "), fontsize=9, color=theme.text)
        axes.locator_params(axis="x", nbins=4)
        axes.axvline(statistics.fmean(base.scores[key]), color=theme.muted, linewidth=0.8, linestyle=":")
        for row, one in enumerate(summaries):
            values = one.scores.get(key, [])
            axes.plot(values, [row] * len(values), "o", mfc="none", mec="#2f7fb8", ms=4.5, mew=0.9)
            if values:
                axes.plot([statistics.fmean(values)] * 2, [row - 0.3, row + 0.3], color="#c8501e", linewidth=1.8)
        axes.set_ylim(len(summaries) - 0.5, -0.5)
        axes.set_yticks(range(len(summaries)), [one.name for one in summaries] if i == 0 else [])
        axes.grid(axis="x", color=theme.grid, linewidth=0.5)
        axes.set_axisbelow(True)
    return figure
