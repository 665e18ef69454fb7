"""The headline picture: how fast losses converge, and where boxes may start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bev3d.lab._losses import FAMILIES
from bev3d.lab._starts import RADIUS
from bev3d.viz._curves import LINES
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["convergence_figure"]

Records = Mapping[str, Mapping[str, Any]]

WIDTH, MARGIN = 11.0, 0.62
CURVES, MAP, COLUMNS = 3.1, 1.13, 8
_LOWEST = 1e-3
_GAP = 0.058  # between names, in heights of the chart


def convergence_figure(losses: Records) -> Figure:
    """Curves above, by family; below, a map for each loss of the error that is left, over the offset of the start.

    Args:
        losses: name to what :func:`bev3d.lab._study.study` gives.
    """
    theme = theme_named("light")
    rows = -(-len(losses) // COLUMNS)
    height = 0.62 + CURVES + 1.05 + rows * (MAP + 0.3) + 0.15
    figure = new_figure(WIDTH, height, theme)
    _heading(
        figure, height, 0.26, "How fast: mean of 1 - IoU over the steps of gradient descent, starts anywhere", theme
    )
    families = [name for name in FAMILIES if any(loss["family"] == name for loss in losses.values())]
    panel = (WIDTH - MARGIN) / max(len(families), 1)
    lowest = min((_floor(loss) for loss in losses.values()), default=_LOWEST)
    for i, family in enumerate(families):
        box = (MARGIN + i * panel, height - 0.62 - CURVES, panel - 1.58, CURVES)
        _curves(_axes(figure, box, theme), losses, family, lowest, theme, first=i == 0)
    top = height - 0.62 - CURVES - 0.72
    _heading(
        figure, height, height - top,
        "Where from: mean of 1 - IoU at the end, over the offset of the start (drawn: the target)", theme,
    )  # fmt: skip
    for i, loss in enumerate(losses.values()):
        column, row = i % COLUMNS, i // COLUMNS
        wide = (WIDTH - MARGIN - 0.75) / COLUMNS
        box = (MARGIN + column * wide, top - 0.42 - MAP - row * (MAP + 0.3), MAP, MAP)
        image = _map(_axes(figure, box, theme), loss, theme)
    if losses:
        _scale(figure, image, (WIDTH - 0.62, top - 0.42 - MAP, 0.1, MAP), theme)
    return figure


def _floor(loss: Mapping[str, Any]) -> float:
    return max(min(loss["curve"]), _LOWEST)


def _axes(figure: Figure, box: tuple[float, float, float, float], theme: Theme) -> Axes:
    """Axes at a place in inches."""
    width, height = figure.get_size_inches()
    left, bottom, wide, high = box
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    style_axes(axes, theme)
    return axes


def _heading(figure: Figure, height: float, below: float, text: str, theme: Theme) -> None:
    figure.text(MARGIN / WIDTH, 1 - below / height, text, color=theme.text, fontsize=11, weight="bold", va="center")


def _curves(axes: Axes, losses: Records, family: str, lowest: float, theme: Theme, *, first: bool) -> None:
    ends: list[tuple[float, str, str]] = []
    for loss in losses.values():
        curve = np.maximum(loss["curve"], _LOWEST)
        if loss["family"] != family:
            axes.plot(curve, color=theme.grid, lw=0.7, zorder=1)
            continue
        colour = LINES["light"][len(ends) % len(LINES["light"])]
        axes.plot(curve, color=colour, lw=1.5, ls="-" if len(ends) < len(LINES["light"]) else (0, (4, 1.5)), zorder=2)
        ends.append((float(loss["curve"][-1]), loss["title"], colour))
    axes.set(yscale="log", xlim=(0, len(curve) - 1), ylim=(lowest * 0.85, 1.1), xlabel="step")
    axes.set_title(FAMILIES[family], loc="left", color=theme.muted, fontsize=9)
    axes.grid(color=theme.grid, lw=0.5)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if first:
        axes.set_ylabel("1 - IoU")
    else:
        axes.tick_params(labelleft=False)
    _names(axes, ends)


def _names(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Names beside the ends of their lines, from the lowest up, moved apart where they would touch."""
    ends = sorted(ends, key=lambda end: end[0])
    low, high = np.log(axes.get_ylim())
    at = np.array([(np.log(max(value, _LOWEST)) - low) / (high - low) for value, *_ in ends])
    height = at.copy()
    for _ in range(300):
        push = np.maximum(_GAP - np.diff(height), 0) / 2
        height[:-1] -= push
        height[1:] += push
        rank = np.arange(len(height))
        height = np.clip(height, 0.01 + _GAP * rank, 1.02 - _GAP * rank[::-1])
    for (value, title, colour), y, end in zip(ends, height, at, strict=True):
        left = f"{value:.2g}" if value > _LOWEST else f"< {_LOWEST:g}"
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 0, "shrinkB": 1, "relpos": (0, 0.5)}
        axes.annotate(
            f"{title}  {left}", (1, end), xytext=(1.07, y), xycoords="axes fraction", textcoords="axes fraction",
            color=colour, fontsize=8, va="center", annotation_clip=False, arrowprops=line,
        )  # fmt: skip


def _map(axes: Axes, loss: Mapping[str, Any], theme: Theme) -> Any:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Circle, Rectangle

    colours = LinearSegmentedColormap.from_list("error", theme.heat).with_extremes(bad=theme.background)
    values = np.array([[np.nan if v is None else v for v in row] for row in loss["map"]], dtype=float)
    edge = RADIUS * len(values) / max(len(values) - 1, 1)
    image = axes.imshow(values, cmap=colours, vmin=0, vmax=1, origin="lower", extent=(-edge, edge, -edge, edge))
    length, width = 2**0.5, 0.5**0.5
    axes.add_patch(Rectangle((-length / 2, -width / 2), length, width, fill=False, ec=theme.text, lw=0.8))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(theme.background)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.add_patch(Circle((0, 0), edge, fill=False, ec=theme.grid, lw=0.8))
    axes.set_title(loss["title"], fontsize=8.5, color=theme.text, pad=3)
    far = loss["kinds"]["anywhere"]["far"]
    axes.text(1, 0, f"{far:.2f}", transform=axes.transAxes, fontsize=7.5, color=theme.muted, ha="right")
    return image


def _scale(figure: Figure, image: Any, box: tuple[float, float, float, float], theme: Theme) -> None:
    axes = _axes(figure, box, theme)
    bar = figure.colorbar(image, cax=axes, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    axes.tick_params(colors=theme.muted, labelsize=7.5, length=0)
    axes.set_title("1 - IoU", fontsize=7.5, color=theme.muted, pad=5)
