"""Small multiples: a loss above, its gradient below, each line named at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.viz._curves import LINES
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "Panel", "draw_panels", "sweep"]

Array = NDArray[np.float64]

_ORDER = (1, 2, 3, 4, 0, 7, 6, 5)  # of LINES: first those that are far apart for every eye
_DASHES = ("solid", "solid", "solid", "solid", "solid", (0, (4, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1, 1.5)))
_SECOND_ROUND = (0, (7, 1, 1, 1, 1, 1))
_GAP = 0.1  # between names, in heights of the axes
# inches: left of the axes, axes, names on their right; above, axes, between, axes, below
_LEFT, _WIDTH, _NAMES = 0.68, 2.05, 1.25
_TOP, _TALL, _BETWEEN, _BOTTOM = 0.3, 1.62, 0.2, 0.42


@dataclass(frozen=True)
class Curve:
    """Attributes:
    name: written at its end.
    at, value, slope: (N,) axis, loss, derivative of the loss along the axis.
    other: someone else's loss, or ours used wrongly: thin and grey.
    """

    name: str
    at: Array
    value: Array
    slope: Array
    other: bool = False


@dataclass(frozen=True)
class Panel:
    """Attributes:
    title, axis: what is shown, and along what, with its unit.
    curves: what is drawn.
    limits, slope_limits: of the vertical axes; None: by what is drawn.
    rows: what stands beside the two rows, where that is not loss and gradient.
    """

    title: str
    axis: str
    curves: Sequence[Curve]
    limits: tuple[float, float] | None = None
    slope_limits: tuple[float, float] | None = None
    rows: tuple[str, str] = ("loss", "gradient")


def sweep(
    name: str, loss: Callable[[Tensor], Tensor], low: float, high: float, *, steps: int = 601, other: bool = False
) -> Curve:
    """A loss along an axis: ``loss`` maps (N,) to (N,), entry by entry."""
    at = torch.linspace(low, high, steps, dtype=torch.float64, requires_grad=True)
    value = loss(at)
    (slope,) = torch.autograd.grad(value.sum(), at)
    return Curve(name, at.detach().numpy(), value.detach().double().numpy(), slope.numpy(), other)


def draw_panels(panels: Sequence[Panel], *, theme: str) -> Figure:
    """One column a panel: the loss above, its gradient below."""
    look = theme_named(theme)
    names = list(dict.fromkeys(c.name for panel in panels for c in panel.curves if not c.other))
    wide, high = (_LEFT + _WIDTH + _NAMES) * len(panels), _TOP + 2 * _TALL + _BETWEEN + _BOTTOM
    figure = new_figure(wide, high, look)
    for k, panel in enumerate(panels):
        left = (k * (_LEFT + _WIDTH + _NAMES) + _LEFT) / wide
        size = (_WIDTH / wide, _TALL / high)
        below = figure.add_axes((left, _BOTTOM / high, *size))
        above = figure.add_axes((left, (_BOTTOM + _TALL + _BETWEEN) / high, *size), sharex=below)
        _prepare(above, look, panel.limits, panel.rows[0])
        _prepare(below, look, panel.slope_limits, panel.rows[1])
        curves = _merged(panel.curves)
        styles = [_style(curve, names, theme, look) for curve, _ in curves]
        for (curve, _), style in zip(curves, styles, strict=True):
            above.plot(curve.at, curve.value, **style)
            below.plot(curve.at, _broken_at_jumps(curve.slope), **style)
        above.set_title(panel.title, color=look.text, fontsize=9, loc="left", fontweight="bold")
        above.tick_params(labelbottom=False)
        below.set_xlabel(panel.axis)
        below.set_xlim(panel.curves[0].at[0], panel.curves[0].at[-1])
        _label_ends(above, curves, [str(style["color"]) for style in styles])
    return figure


def _merged(curves: Sequence[Curve]) -> list[tuple[Curve, str]]:
    """Each curve with the names of all that lie on it."""
    out: list[tuple[Curve, str]] = []
    for curve in curves:
        for k, (first, name) in enumerate(out):
            if first.other == curve.other and np.allclose(first.value, curve.value, rtol=1e-3, atol=1e-3):
                lines = name.split("\n")
                fits = len(lines[-1]) + len(curve.name) < 18
                out[k] = (first, f"{name}, {curve.name}" if fits else f"{name},\n{curve.name}")
                break
        else:
            out.append((curve, curve.name))
    return out


def _style(curve: Curve, names: list[str], theme: str, look: Theme) -> dict[str, Any]:
    if curve.other:
        return {"color": look.muted, "lw": 1.2, "ls": (0, (2, 1.2)), "zorder": 4}
    place = names.index(curve.name)
    dash = _DASHES[place] if place < len(_DASHES) else _SECOND_ROUND
    return {"color": LINES[theme][_ORDER[place % len(_ORDER)]], "lw": 1.5, "ls": dash, "zorder": 3}


def _prepare(axes: Axes, look: Theme, limits: tuple[float, float] | None, label: str) -> None:
    style_axes(axes, look)
    axes.locator_params(axis="y", nbins=5)
    axes.grid(color=look.grid, lw=0.5)
    axes.axhline(0, color=look.muted, lw=0.6, zorder=1)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_ylabel(label)
    axes.yaxis.set_label_coords(-0.255, 0.5)
    if limits is not None:
        axes.set_ylim(*limits)


def _broken_at_jumps(slope: Array) -> Array:
    """NaN where the slope jumps, so that no line is drawn through what is not there."""
    out = slope.copy()
    if len(slope) < 100:
        return out
    step = np.abs(np.diff(slope))
    usual = np.nanmedian(step) + 1e-12
    spread = np.nanmax(slope) - np.nanmin(slope)
    out[1:][(step > 60 * usual) & (step > 0.12 * spread)] = np.nan
    return out


def _label_ends(axes: Axes, curves: Sequence[tuple[Curve, str]], colours: Sequence[str]) -> None:
    """Names right of the axes, at the heights of the lines' ends, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    raw = np.array([(curve.value[np.isfinite(curve.value)][-1] - low) / (high - low) for curve, _ in curves])
    order = np.argsort(raw, kind="stable")
    ends = raw.clip(0, 1)
    lines = np.array([1 + curves[i][1].count("\n") for i in order])
    gaps = _GAP * (lines[1:] + lines[:-1]) / 2
    heights = ends[order].copy()
    for _ in range(400):
        push = np.maximum(gaps - np.diff(heights), 0) / 2
        heights[:-1] -= push
        heights[1:] += push
        heights += max(0.0, -0.02 - heights.min()) - max(0.0, heights.max() - 0.98)
        if not len(push) or push.max() < 1e-4:
            break
    for place, height in zip(order, heights, strict=True):
        axes.annotate(
            curves[place][1], (1.0, ends[place]), xytext=(1.07, height), xycoords="axes fraction",
            textcoords="axes fraction", fontsize=7.5, color=colours[place], va="center", annotation_clip=False,
            linespacing=1.05, arrowprops={"arrowstyle": "-", "color": colours[place], "lw": 0.6, "relpos": (0, 0.5),
                                          "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
