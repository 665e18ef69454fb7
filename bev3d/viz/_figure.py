"""Figures without global state: built on the Agg canvas, never through pyplot, and written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bev3d._files import atomic_path
from bev3d.viz._style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["new_figure", "save_figure", "style_axes"]

DPI = 150


def new_figure(width_in: float, height_in: float, theme: Theme) -> Figure:
    """An empty figure of that size in inches, on the Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=DPI, facecolor=theme.background)
    FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Axes, theme: Theme) -> None:
    """Thin frame, small muted ticks, the panel's ground."""
    axes.set_facecolor(theme.panel)
    axes.tick_params(colors=theme.muted, labelsize=7, length=2.5, width=0.6)
    for spine in axes.spines.values():
        spine.set_color(theme.grid)
        spine.set_linewidth(0.8)
    axes.xaxis.label.set(color=theme.muted, fontsize=8)
    axes.yaxis.label.set(color=theme.muted, fontsize=8)
    axes.title.set(color=theme.text, fontsize=9)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int | None = None) -> Path:
    """Write the figure atomically; the ending of ``path`` chooses the format.

    Args:
        figure: from any function of this package.
        path: such as ``"bev.png"`` or ``"bev.svg"``.
        dpi: dots per inch; the figure's own where None.

    Raises:
        ValueError: matplotlib does not know the ending.
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=dpi or figure.dpi, facecolor=figure.get_facecolor())
    return target
