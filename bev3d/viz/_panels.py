"""Many small charts of one kind side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bev3d.viz._curves import LINES, Curve, finite_points
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, class_colours, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["panel_figure"]

PANEL_W_IN, PANEL_H_IN, ROW_GAP_IN = 2.05, 1.76, 0.52
LEFT_IN, RIGHT_IN, ABOVE_IN, BELOW_IN = 0.55, 0.15, 0.86, 0.45


def panel_figure(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    title: str,
    x_label: str = "recall",
    y_label: str = "precision",
    x_limits: tuple[float, float] | None = (0.0, 1.0),
    y_limits: tuple[float, float] | None = (0.0, 1.02),
    theme: str = "dark",
    columns: int = 5,
    lines_are_classes: bool = False,
    diagonal: bool = False,
    markers: bool = False,
) -> Figure:
    """A panel for each entry, with the same lines in each and one legend.

    Args:
        panels: heading to lines, a line being name to (x, y); points that are not finite are left out.
        title: above all.
        x_label, y_label: of the axes.
        x_limits, y_limits: the same for all panels; each panel its own where None.
        theme: ``"dark"`` or ``"light"``.
        columns: panels in a row, at most.
        lines_are_classes: colour lines as classes are coloured elsewhere.
        diagonal: draw x = y.
        markers: a dot on each point.

    Raises:
        ValueError: x and y of a line differ in length.
    """
    look = theme_named(theme)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    colours = class_colours(names, theme=theme) if lines_are_classes else _plain_colours(names, theme)
    across = max(1, min(columns, len(panels)))
    rows = max(1, -(-len(panels) // across))
    gap = 0.28 if y_limits is not None else 0.45
    width = LEFT_IN + RIGHT_IN + across * PANEL_W_IN + (across - 1) * gap
    height = ABOVE_IN + BELOW_IN + rows * PANEL_H_IN + (rows - 1) * ROW_GAP_IN
    figure = new_figure(width, height, look)
    for i, (heading, lines) in enumerate(panels.items()):
        row, column = divmod(i, across)
        left = LEFT_IN + column * (PANEL_W_IN + gap)
        bottom = height - ABOVE_IN - (row + 1) * PANEL_H_IN - row * ROW_GAP_IN
        axes = figure.add_axes((left / width, bottom / height, PANEL_W_IN / width, PANEL_H_IN / height))
        _style(axes, look, heading)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=look.muted, lw=0.8, ls=(0, (4, 3)))
        for name, (x, y) in lines.items():
            at, value = finite_points(name, x, y)
            axes.plot(at, value, color=colours[name], lw=1.3, marker="o" if markers else None, ms=2.6)
        _limits(axes, x_limits, y_limits)
        if column == 0:
            axes.set_ylabel(y_label)
        elif y_limits is not None:
            axes.tick_params(labelleft=False)
        if i + across >= len(panels):
            axes.set_xlabel(x_label)
    figure.text(LEFT_IN / width, 1 - 0.28 / height, title, color=look.text, fontsize=10.5, weight="bold")
    _legend(figure, names, colours, look, LEFT_IN / width, 1 - 0.48 / height)
    return figure


def _plain_colours(names: Sequence[str], theme: str) -> dict[str, str]:
    return {name: LINES[theme][(i + 1) % len(LINES[theme])] for i, name in enumerate(names)}


def _style(axes: Axes, look: Theme, heading: str) -> None:
    style_axes(axes, look)
    axes.grid(color=look.grid, lw=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(heading.replace("_", " "), loc="left", fontsize=8.5, color=look.text, pad=4)


def _limits(axes: Axes, x: tuple[float, float] | None, y: tuple[float, float] | None) -> None:
    if x is not None:
        axes.set_xlim(*x)
        axes.set_xticks(np.linspace(x[0], x[1], 3))
    if y is not None:
        axes.set_ylim(*y)
    else:
        axes.set_ylim(bottom=0)


def _legend(figure: Figure, names: Sequence[str], colours: Mapping[str, str], look: Theme, x: float, y: float) -> None:
    from matplotlib.lines import Line2D

    if len(names) < 2:
        return
    handles = [Line2D([], [], color=colours[name], lw=1.8, label=name.replace("_", " ")) for name in names]
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=(x, y), ncols=len(names), frameon=False, fontsize=7.5,
        labelcolor=look.muted, handlelength=1.2, columnspacing=1.2, borderpad=0, borderaxespad=0,
    )  # fmt: skip
