"""Diagrams of an evaluation: confusion of classes, gains by kind of error, intervals of differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.viz._curves import LINES
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, colour_ramp, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_figure", "gain_figure", "interval_figure"]

BETTER, WORSE = ("#3ddc97", "#00875a"), ("#ff5c61", "#c62a2f")


def confusion_figure(
    names: Sequence[str], counts: NDArray[np.int64], *, title: str = "Ground truth and detections", theme: str = "dark"
) -> Figure:
    """Counts in a grid: rows ground truth, columns detections, coloured by their share of the row.

    Args:
        names: K names; the last is the background: no object in its row, no detection in its column.
        counts: (K, K).
        title: above the grid.
        theme: ``"dark"`` or ``"light"``.

    Raises:
        ValueError: a grid of another size than the names.
    """
    size = len(names)
    if counts.shape != (size, size):
        raise ValueError(f"counts: expected shape {(size, size)} for {size} names, got {counts.shape}")
    look = theme_named(theme)
    longest = max(len(name) for name in names)
    cell = max(0.5, 2.4 / size)
    left, above, below = 0.62 + 0.065 * longest, 0.5, 0.5 + 0.045 * longest
    width, height = max(left + size * cell + 0.25, 4.0), above + size * cell + below
    figure = new_figure(width, height, look)
    axes = figure.add_axes((left / width, below / height, size * cell / width, size * cell / height))
    style_axes(axes, look)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    colours = colour_ramp(0.75 * np.sqrt(share), look.heat)
    axes.imshow(colours, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "#000000" if _luminance(colours[row, column]) > 0.179 else "#ffffff"
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=ink)
    shown = [name.replace("_", " ") for name in names]
    axes.set_xticks(range(size), [*shown[:-1], "missed"], rotation=40, ha="right", fontsize=8.5)
    axes.set_yticks(range(size), [*shown[:-1], "no object"], fontsize=8.5)
    axes.tick_params(length=0)
    axes.axhline(size - 1.5, color=look.muted, lw=0.8)
    axes.axvline(size - 1.5, color=look.muted, lw=0.8)
    axes.set(xlabel="detections", ylabel="ground truth")
    _heading(figure, title, 0.12, look)
    return figure


def _luminance(rgb: NDArray[np.float64]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2); at 0.179 black and white stand out equally."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def gain_figure(
    gains: Mapping[str, Mapping[str, float]],
    *,
    title: str = "What mending one kind of error gains",
    theme: str = "dark",
) -> Figure:
    """Bars by kind of error, in percent of the mean.

    Args:
        gains: kind to gain by name of a mean, as shares of 1; NaN draws nothing.
        title, theme: as in :func:`confusion_figure`.
    """
    look = theme_named(theme)
    kinds = list(gains)
    means = list(dict.fromkeys(name for one in gains.values() for name in one))
    width, height = 7.6, 1.0 + 0.36 * max(len(kinds), 1)
    figure = new_figure(width, height, look)
    axes = figure.add_axes((0.17, 0.5 / height, 0.79, 1 - 1.0 / height))
    _style(axes, look)
    bar = 0.76 / max(len(means), 1)
    for m, mean in enumerate(means):
        values = np.array([100 * gains[kind].get(mean, np.nan) for kind in kinds])
        places = np.arange(len(kinds)) + (m - (len(means) - 1) / 2) * bar
        colour = LINES[theme][m + 1]
        axes.barh(places, np.nan_to_num(values), height=bar * 0.86, color=colour, label=mean)
        for place, value in zip(places, values, strict=True):
            if np.isfinite(value):
                axes.text(max(value, 0), place, f" {value:+.2f}", va="center", fontsize=7, color=look.text)
    axes.set_yticks(range(len(kinds)), kinds, fontsize=8)
    drawn = [value for one in gains.values() for value in one.values() if np.isfinite(value) and value]
    low, high = axes.get_xlim() if drawn else (0.0, 1.0)  # bars of no length make no scale
    axes.set(ylim=(len(kinds) - 0.4, -0.6), xlim=(low, high + 0.1 * (high - low)), xlabel="gain in percent")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    _heading(figure, title, 0.17 * width, look)
    if means:
        figure.legend(
            loc="upper right", bbox_to_anchor=(0.97, 1 - 0.1 / height), ncols=len(means), frameon=False,
            fontsize=7.5, labelcolor=look.muted, handlelength=1.0, borderpad=0.2,
        )  # fmt: skip
    return figure


def interval_figure(
    rows: Sequence[tuple[str, float, float, float]], *, title: str = "Second less first", theme: str = "dark"
) -> Figure:
    """Differences with their intervals; those that leave 0 out are coloured.

    Args:
        rows: name, difference, lower and upper bound, in percent; a row with a NaN is left out.
        title, theme: as in :func:`confusion_figure`.
    """
    look = theme_named(theme)
    shown = [row for row in rows if np.isfinite(row[1:]).all()]
    width, height = 7.6, 0.95 + 0.26 * max(len(shown), 1)
    figure = new_figure(width, height, look)
    axes = figure.add_axes((0.24, 0.48 / height, 0.72, 1 - 0.9 / height))
    _style(axes, look)
    axes.axvline(0, color=look.muted, lw=0.9)
    for i, (_, difference, low, high) in enumerate(shown):
        clear = (BETTER if low > 0 else WORSE)[theme == "light"] if low > 0 or high < 0 else look.muted
        axes.plot([low, high], [i, i], color=clear, lw=2.0, solid_capstyle="round")
        axes.plot([difference], [i], "o", color=clear, ms=4.5)
    axes.set_yticks(range(len(shown)), [row[0].replace("_", " ") for row in shown], fontsize=8)
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="difference in percent")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    _heading(figure, title, 0.24 * width, look)
    return figure


def _style(axes: Axes, look: Theme) -> None:
    style_axes(axes, look)
    axes.grid(color=look.grid, lw=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _heading(figure: Figure, text: str, left_in: float, look: Theme) -> None:
    width, height = figure.get_size_inches()
    figure.text(left_in / width, 1 - 0.28 / height, text, color=look.text, fontsize=10.5, weight="bold")
