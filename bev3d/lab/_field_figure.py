"""The picture of gradient fields: which way each loss pulls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bev3d.lab._fields import APART, REACH_LOG_SIZE, REACH_PLACE, TURNED, WEAK
from bev3d.viz._curves import LINES
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["field_figure"]

Floats = NDArray[np.float64]
Records = Mapping[str, Mapping[str, Any]]

# one or two of each way of thinking; more would be too small to read
SHOWN = ("iou", "giou", "diou", "eiou", "rdiou", "gwd", "kld", "probiou", "corner", "smooth_l1")
COLUMNS = 5
WIDTH, LEFT, CELL, YAW = 11.0, 1.15, 1.72, 1.0
BLOCK = 0.34 + 2 * (CELL + 0.12) + YAW + 0.5
YAW_LINES: tuple[tuple[str, Any], ...] = ((LINES["light"][1], "-"), (LINES["light"][7], (0, (3, 2))))
AWAY, SIDEWAYS, TOWARDS, NOTHING = "#e8893a", "#fbfbfb", "#8ec1e8", "#c4cad1"


def field_figure(losses: Records) -> Figure:
    """Three rows for each loss: pull on the place, on the size of a box that is apart, and on the yaw.

    Args:
        losses: name to what :func:`bev3d.lab._study.study` gives; ten at most are drawn.
    """
    theme = theme_named("light")
    chosen = [loss for name, loss in losses.items() if name in SHOWN] or list(losses.values())[: len(SHOWN)]
    blocks = -(-len(chosen) // COLUMNS)
    height = 0.36 + blocks * BLOCK + 0.5
    figure = new_figure(WIDTH, height, theme)
    figure.text(
        0.3 / WIDTH, 1 - 0.28 / height, "Which way losses pull: -dL/dB of a box that is off in one respect",
        color=theme.text, fontsize=11, weight="bold", va="center",
    )  # fmt: skip
    for i, loss in enumerate(chosen):
        top = height - 0.36 - (i // COLUMNS) * BLOCK
        left = LEFT + (i % COLUMNS) * (CELL + 0.22)
        _column(figure, loss, left, top, theme, first=i % COLUMNS == 0)
    for block in range(blocks):
        _row_names(figure, height - 0.36 - block * BLOCK, theme)
    _key(figure, theme)
    return figure


def _axes(figure: Figure, left: float, top: float, high: float, theme: Theme) -> Axes:
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, (top - high) / height, CELL / width, high / height))
    style_axes(axes, theme)
    axes.tick_params(labelsize=6.5, pad=1.5)
    return axes


def _column(figure: Figure, loss: Mapping[str, Any], left: float, top: float, theme: Theme, *, first: bool) -> None:
    from matplotlib.patches import Rectangle

    top -= 0.34
    place = _axes(figure, left, top, CELL, theme)
    place.set_title(loss["title"], fontsize=10, color=theme.text, weight="bold", pad=4)
    _plane(place, np.array(loss["fields"]["place"]), REACH_PLACE, theme)
    length, width = 2**0.5, 0.5**0.5
    place.add_patch(Rectangle((-length / 2, -width / 2), length, width, fill=False, ec=theme.text, lw=1))
    place.set_xticks([-2, 0, 2])
    place.set_yticks([-2, 0, 2])
    size = _axes(figure, left, top - CELL - 0.22, CELL, theme)
    _plane(size, np.array(loss["fields"]["size"]), REACH_LOG_SIZE, theme)
    size.plot(0, 0, marker="+", ms=8, mew=1.2, color=theme.text)
    ticks = ([-math.log(2), 0, math.log(2)], ["½", "1", "2"])
    size.set_xticks(*ticks)
    size.set_yticks(*ticks)
    yaw = _axes(figure, left, top - 2 * CELL - 0.44, YAW, theme)
    _yaw(yaw, loss["fields"], theme)
    for axes in (place, size, yaw):
        if not first:
            axes.tick_params(labelleft=False)


def _plane(axes: Axes, field: Floats, reach: float, theme: Theme) -> None:
    """Colour: cosine between pull and the way to the target; arrows: the pull's direction."""
    from matplotlib.colors import LinearSegmentedColormap

    at = np.linspace(-reach, reach, len(field))
    x, y = np.meshgrid(at, at)
    strength = np.linalg.norm(field, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = -(field[..., 0] * x + field[..., 1] * y) / (strength * np.hypot(x, y))
    colours = LinearSegmentedColormap.from_list("pull", [AWAY, SIDEWAYS, TOWARDS]).with_extremes(bad=NOTHING)
    weak = strength < WEAK
    cosine[~weak & ~np.isfinite(cosine)] = 1.0  # on the target
    cosine[weak] = np.nan
    edge = reach * len(at) / (len(at) - 1)
    axes.imshow(cosine, cmap=colours, vmin=-1, vmax=1, origin="lower", extent=(-edge, edge, -edge, edge))
    step = max(1, round((len(at) - 1) / 7))
    every = slice((len(at) // 2) % step, None, step)  # the middle row and column are among them
    some = (every, every)
    shown = ~weak[some] & (np.hypot(x, y)[some] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = field[some] / strength[some][..., None]
    axes.quiver(
        x[some][shown], y[some][shown], unit[shown][:, 0], unit[shown][:, 1],
        color=theme.text, angles="xy", pivot="mid", scale=9, width=0.011, headwidth=4.2, headlength=4.2,
    )  # fmt: skip


def _yaw(axes: Axes, fields: Mapping[str, Any], theme: Theme) -> None:
    pull, square = np.array(fields["yaw"]), np.array(fields["yaw_square"])
    largest = max(float(np.abs(pull).max()), 1e-12)
    at = np.linspace(-180, 180, len(pull))
    for start, low in ((-180, -1.25), (-90, 0), (0, -1.25), (90, 0)):
        axes.fill_between([start, start + 90], low, low + 1.25, color=TOWARDS, alpha=0.35, lw=0)
    axes.axhline(0, color=theme.muted, lw=0.6)
    for values, (colour, style) in zip((pull, square), YAW_LINES, strict=True):
        axes.plot(at, values / largest, color=colour, lw=1.6, ls=style)
    axes.set(xlim=(-180, 180), ylim=(-1.25, 1.25))
    axes.set_xticks([-90, 0, 90], ["-90°", "0°", "90°"])
    axes.set_yticks([-1, 0, 1])


def _row_names(figure: Figure, top: float, theme: Theme) -> None:
    width, height = figure.get_size_inches()
    rows = (
        (0.34 + CELL / 2, "place", f"the centre;\nright size,\nturned {math.degrees(TURNED):.0f}°"),
        (0.34 + 0.22 + 1.5 * CELL, "size", f"l/l* across,\nw/w* up;\n{APART:g} apart"),
        (0.34 + 0.44 + 2 * CELL + YAW / 2, "yaw", "error across,\npull up"),
    )
    for below, name, note in rows:
        y = (top - below) / height
        figure.text(0.3 / width, y + 0.1 / height, name, color=theme.text, fontsize=9.5, weight="bold", va="bottom")
        figure.text(0.3 / width, y + 0.06 / height, note, color=theme.muted, fontsize=7, va="top", linespacing=1.25)


def _key(figure: Figure, theme: Theme) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    x = LEFT
    for colour, text in (
        (TOWARDS, "towards the target"),
        (SIDEWAYS, "sideways"),
        (AWAY, "away from it"),
        (NOTHING, f"hardly any gradient (below {WEAK:g})"),
    ):
        box = ((x / width, 0.2 / height), 0.2 / width, 0.14 / height)
        figure.add_artist(Rectangle(*box, fc=colour, ec=theme.grid, lw=0.6))
        figure.text((x + 0.27) / width, 0.27 / height, text, color=theme.muted, fontsize=8, va="center")
        x += 0.27 + 0.068 * len(text) + 0.3
    for colour, style, text in ((*YAW_LINES[0], "2:1"), (*YAW_LINES[1], "square")):
        figure.add_artist(Line2D([x / width, (x + 0.3) / width], [0.27 / height] * 2, color=colour, ls=style, lw=1.6))
        figure.text((x + 0.37) / width, 0.27 / height, text, color=theme.muted, fontsize=8, va="center")
        x += 0.85
