"""Time against size, on logarithmic axes, each line named at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bev3d.bench._page import FIGURES
from bev3d.bench._sweeps import SWEEPS, Sweep

__all__ = ["draw_growth"]

# legible on white and on black: luminance between 0.15 and 0.3, ground transparent
_TEXT, _GRID = "#868e98", "#868e9844"
_OURS = ("#2f81f7", "#0f9d8a", "#8a63d2")
_PEERS = ("#d9730d", "#d1495b", "#b08a00", "#8b949e", "#b0568f", "#6a8f3a")
_End = tuple[float, float, str, str, bool]  # size, time, name, colour, whether ours
_GAP = 0.062  # between names, in heights of the chart


def draw_growth(sweeps: Sequence[Sweep], folder: Path) -> None:
    """Write one PNG for each group of sweeps into the folder; a group without sweeps is left out."""
    for file in FIGURES:
        mine = [sweep for sweep in sweeps if SWEEPS[sweep.name].figure == file and sweep.lines]
        if mine:
            folder.mkdir(parents=True, exist_ok=True)
            _figure(mine, folder / file)


def _figure(sweeps: Sequence[Sweep], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = (len(sweeps) + 1) // 2
    figure = Figure(figsize=(11, 3.9 * rows), dpi=110)
    FigureCanvasAgg(figure)
    margins = {"left": 0.045, "right": 0.815, "top": 1 - 0.16 / rows, "bottom": 0.14 / rows}
    figure.subplots_adjust(**margins, wspace=0.68, hspace=0.32)
    for k, sweep in enumerate(sweeps):
        _chart(figure.add_subplot(rows, 2, k + 1), sweep)
    figure.savefig(path, transparent=True, metadata={"Software": None})


def _chart(axes: Any, sweep: Sweep) -> None:
    spec = SWEEPS[sweep.name]
    axes.set(xscale="log", yscale="log")
    ours, peers = iter(_OURS * 2), iter(_PEERS * 2)
    ends: list[_End] = []
    for line in sweep.lines:
        colour, width = (next(ours), 2.4) if line.ours else (next(peers), 1.3)
        sizes = [point.size for point in line.points]
        times = [point.median_ms for point in line.points]
        low, high = [p.lower_quartile_ms for p in line.points], [p.upper_quartile_ms for p in line.points]
        axes.fill_between(sizes, low, high, color=colour, alpha=0.25, lw=0)
        axes.plot(sizes, times, color=colour, lw=width, marker="o", ms=2.5, zorder=3 if line.ours else 2)
        ends.append((sizes[-1], times[-1], line.contestant, colour, line.ours))
    axes.autoscale_view()  # now, since the names go by it
    axes.set_title(f"{spec.title}, ms", color=_TEXT, fontsize=10.5, loc="left", fontweight="bold")
    axes.set_xlabel(spec.axis, color=_TEXT, fontsize=9)
    axes.patch.set_alpha(0)
    axes.grid(color=_GRID, lw=0.6)
    axes.minorticks_off()
    axes.tick_params(colors=_TEXT, labelsize=8.5, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _names(axes, ends)


def _names(axes: Any, ends: list[_End]) -> None:
    """Names to the right of the chart at the heights of the lines' ends, pushed apart where they would overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [to_axes.transform((size, time)) for size, time, *_ in ends]
    order = np.argsort([y for _, y in places])
    heights = np.array([places[i][1] for i in order])
    for _ in range(200):
        apart = np.diff(heights)
        if not len(apart) or apart.min() >= _GAP - 1e-6:
            break
        push = np.maximum(_GAP - apart, 0) / 2
        heights[:-1] -= push
        heights[1:] += push
    heights += max(0.0, -heights.min())
    for i, height in zip(order, heights, strict=True):
        _, _, name, colour, is_ours = ends[i]
        axes.annotate(
            name,
            places[i],
            xytext=(1.04, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            fontsize=8.5,
            fontweight="bold" if is_ours else "normal",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.7, "shrinkA": 1, "shrinkB": 2},
        )
