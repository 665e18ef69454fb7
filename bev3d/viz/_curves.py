"""Small charts: losses over steps, scores by class, precision over recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, class_colours, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LINES", "Curve", "finite_points", "loss_figure", "precision_recall_figure", "score_figure"]

Curve = tuple[Sequence[float], Sequence[float]]
LINES = {
    "dark": ("#f0f3f6", "#4db5f5", "#ffb000", "#3ddc97", "#e58ac8", "#f0e442", "#7c8cff", "#ff7043"),
    "light": ("#16202b", "#0072b2", "#d17a00", "#00875a", "#b0488f", "#8a7f00", "#4650c8", "#c8431a"),
}


def loss_figure(
    curves: Mapping[str, Curve], *, title: str = "Training loss", theme: str = "dark", log_scale: bool = True
) -> Figure:
    """Loss terms over training steps, each named at its end; faint as logged, strong as a running median.

    Args:
        curves: name to (steps, values); the first is the total and drawn strongest. Values that are not finite are
            left out.
        title: above the chart.
        theme: ``"dark"`` or ``"light"``.
        log_scale: logarithmic losses; those that are not positive are left out.

    Raises:
        ValueError: steps and values of a name differ in length.
    """
    look = theme_named(theme)
    figure, axes = _chart(8.0, 4.0, title, look, right=0.82)
    ends: list[tuple[float, float, str, str]] = []
    for i, (name, (steps, values)) in enumerate(curves.items()):
        at, value = finite_points(name, steps, values)
        if log_scale:
            at, value = at[value > 0], value[value > 0]
        if not len(at):
            continue
        colour = LINES[theme][i % len(LINES[theme])]
        smooth = _running_median(value)
        axes.plot(at, value, color=colour, lw=0.6, alpha=0.3)
        axes.plot(at, smooth, color=colour, lw=2.0 if i == 0 else 1.2, label=name)
        ends.append((float(at[-1]), float(smooth[-1]), name, colour))
    if log_scale and ends:
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="loss")
    _label_ends(axes, ends)
    return figure


def score_figure(
    scores: Mapping[str, float], *, title: str = "Average precision by class", theme: str = "dark", unit: str = "AP"
) -> Figure:
    """A bar for each class, its score written beside it; a score that is NaN is shown as absent.

    Args:
        scores: class name to a score in [0, 1] or NaN.
        title, theme: as in :func:`loss_figure`.
        unit: what the scores are.
    """
    look = theme_named(theme)
    figure, axes = _chart(8.0, 0.9 + 0.3 * max(len(scores), 1), title, look, left=0.2)
    colours = class_colours(list(scores), theme=theme)
    names = list(scores)
    lengths = [0.0 if np.isnan(scores[name]) else float(scores[name]) for name in names]
    axes.barh(range(len(names)), lengths, height=0.62, color=[colours[name] for name in names])
    for i, name in enumerate(names):
        absent = np.isnan(scores[name])
        text = "no ground truth" if absent else f"{scores[name]:.3f}"
        axes.text(lengths[i] + 0.012, i, text, va="center", fontsize=7.5, color=look.muted if absent else look.text)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(xlim=(0, 1.08), ylim=(len(names) - 0.4, -0.6), xlabel=unit)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0, labelsize=8)
    return figure


def precision_recall_figure(
    curves: Mapping[str, Curve], *, title: str = "Precision over recall", theme: str = "dark"
) -> Figure:
    """A curve for each class.

    Args:
        curves: name to (recall, precision), both in [0, 1]; points that are not finite are left out.
        title, theme: as in :func:`loss_figure`.

    Raises:
        ValueError: recall and precision of a name differ in length.
    """
    look = theme_named(theme)
    figure, axes = _chart(5.6, 4.6, title, look, left=0.11, right=0.97)
    colours = class_colours(list(curves), theme=theme)
    for name, (recall, precision) in curves.items():
        at, value = finite_points(name, recall, precision)
        axes.plot(at, value, color=colours[name], lw=1.5, label=name.replace("_", " "))
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    if curves:
        axes.legend(frameon=False, fontsize=7.5, labelcolor=look.muted)
    return figure


def _chart(
    width: float, height: float, title: str, theme: Theme, *, left: float = 0.085, right: float = 0.97
) -> tuple[Figure, Axes]:
    figure = new_figure(width, height, theme)
    below, above = 0.48 / height, 1 - 0.42 / height
    axes = figure.add_axes((left, below, right - left, above - below))
    style_axes(axes, theme)
    axes.grid(color=theme.grid, lw=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.text(left, 1 - 0.26 / height, title, color=theme.text, fontsize=10.5, weight="bold")
    return figure, axes


def finite_points(
    name: str, at: Sequence[float], values: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points of a line that can be drawn.

    Raises:
        ValueError: x and y differ in length.
    """
    if len(at) != len(values):
        raise ValueError(f"curves: expected as many x as y for {name!r}, got {len(at)} and {len(values)}")
    x, y = np.asarray(at, dtype=np.float64), np.asarray(values, dtype=np.float64)
    keep = np.isfinite(x) & np.isfinite(y)
    return x[keep], y[keep]


def _running_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    half = max(1, len(values) // 40)
    return np.array([np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))])


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names at the right ends of their lines, moved apart where they would touch."""
    axes.figure.canvas.draw()
    scale = axes.transData
    places = sorted((float(scale.transform((x, y))[1]), x, y, name, colour) for x, y, name, colour in ends)
    lowest = -np.inf
    gap = 8.5 * axes.figure.dpi / 72
    for pixel, x, y, name, colour in places:
        lowest = max(pixel, lowest + gap)
        axes.annotate(
            f"{name}  {y:.3g}", (x, y), xytext=(6, (lowest - pixel) * 72 / axes.figure.dpi),
            textcoords="offset points", fontsize=7.5, color=colour, va="center", annotation_clip=False,
        )  # fmt: skip
