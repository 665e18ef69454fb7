"""What is drawn on bird's-eye-view axes: points, boxes, heatmap, rings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, corners_bev
from bev3d.viz._layer import HeatmapLayer
from bev3d.viz._style import Theme, colour_ramp, mix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["draw_boxes", "draw_ground", "draw_heatmap", "draw_offsets", "draw_points", "draw_scores", "motion_lines"]

HEIGHT_SPAN_M = 4.0


def draw_points(
    axes: Axes, points: NDArray[np.floating], theme: Theme, *, ground_z: float, size: float, alpha: float = 1.0
) -> None:
    """Points coloured by their height over the ground; low ones first, so that cars stand out of the road."""
    points = points[np.isfinite(points[:, :3]).all(axis=1)]
    points = points[np.argsort(points[:, 2], kind="stable")]
    shade = (points[:, 2] - ground_z + 0.3) / HEIGHT_SPAN_M
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=size,
        c=colour_ramp(shade, theme.points),
        alpha=alpha,
        marker="o",
        linewidths=0,
        zorder=2,
        rasterized=True,
        gid="points",
    )


def draw_ground(axes: Axes, extent: tuple[float, float, float, float], theme: Theme) -> None:
    """Rings of distance around the sensor, the sensor itself, limits and labels in metres."""
    from matplotlib.patches import Circle

    x0, y0, x1, y1 = extent
    reach = float(np.hypot(max(abs(x0), abs(x1)), max(abs(y0), abs(y1))))
    step = 10 if reach < 45 else 20
    for radius in range(step, int(reach) + step, step):
        axes.add_patch(Circle((0, 0), radius, fill=False, ec=theme.grid, lw=0.6, zorder=1, gid="ring"))
    axes.plot([0], [0], marker="+", ms=6, mew=1.0, color=theme.text, zorder=6, gid="sensor")
    axes.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="x (m)", ylabel="y (m)")
    axes.set_aspect("equal")


def draw_boxes(
    axes: Axes,
    boxes: NDArray[np.floating],
    colours: Sequence[str],
    *,
    kind: str,
    theme: Theme,
    width: float = 1.1,
    motion: bool = True,
) -> None:
    """Outlines with a heading tick and, where the velocity is known, the way of the next second.

    Args:
        axes: bird's-eye-view axes.
        boxes: (N, 7 or 9).
        colours: one for each box.
        kind: ``"truth"`` is solid and filled, ``"detection"`` dashed and moved towards the theme's contrast.
        theme: colours of the picture.
        width: of the lines, points.
        motion: draw velocities.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Polygon

    truth = kind == "truth"
    shown = list(colours) if truth else [mix(colour, theme.contrast, 0.5) for colour in colours]
    dashes = "solid" if truth else (0, (3.2, 1.6))
    for i, (corners, colour) in enumerate(zip(corners_bev(boxes), shown, strict=True)):
        fill = _with_alpha(colour, 0.18) if truth else "none"
        axes.add_patch(
            Polygon(
                corners, closed=True, ec=colour, fc=fill, lw=width, ls=dashes, joinstyle="round",
                zorder=4 if truth else 5, gid=f"{kind}:{i}",
            )
        )  # fmt: skip
    ticks = LineCollection(
        list(_heading_lines(boxes, overhang=truth)), colors=shown, lw=width, zorder=5, gid=f"{kind}:heading"
    )
    axes.add_collection(ticks, autolim=False)
    ways, moving = motion_lines(boxes)
    if motion and len(ways):
        colours_of_ways = [shown[i] for i in moving]
        lines = LineCollection(
            list(ways), colors=colours_of_ways, lw=0.7 * width, ls=(0, (1, 1.2)), zorder=4, gid=f"{kind}:motion"
        )
        axes.add_collection(lines, autolim=False)


def _heading_lines(boxes: NDArray[np.floating], *, overhang: bool) -> NDArray[np.floating]:
    """(N, 2, 2): from the middle of the box to its front, with an overhang a little further."""
    centre = boxes[:, Box.BEV_CENTRE]
    ahead = np.stack([np.cos(boxes[:, Box.YAW]), np.sin(boxes[:, Box.YAW])], axis=-1)
    length = boxes[:, Box.LENGTH, None]
    reach = length / 2 + (np.clip(0.25 * length, 0.3, 0.9) if overhang else 0.0)
    return np.stack([centre, centre + ahead * reach], axis=1)


def motion_lines(
    boxes: NDArray[np.floating], *, slowest: float = 0.3
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """(M, 2, 2) way of the centre in the next second, and (M,) which boxes; NaN and slow ones are left out."""
    if boxes.shape[-1] < 9:
        return np.zeros((0, 2, 2)), np.zeros(0, dtype=np.int64)
    velocity = boxes[:, Box.VELOCITY]
    speed = np.where(np.isfinite(velocity).all(axis=1), np.hypot(velocity[:, 0], velocity[:, 1]), 0.0)
    moving = np.flatnonzero(speed >= slowest)
    start = boxes[moving, Box.BEV_CENTRE]
    return np.stack([start, start + velocity[moving]], axis=1), moving


def draw_scores(
    axes: Axes, boxes: NDArray[np.floating], scores: NDArray[np.floating], colours: Sequence[str], theme: Theme
) -> None:
    """A score beside each box, best first; a number that would cover one already written is left out."""
    from matplotlib.patheffects import withStroke

    x0, x1 = axes.get_xlim()
    y0, y1 = axes.get_ylim()
    spacing = np.array([0.034, 0.018]) * max(x1 - x0, y1 - y0)
    written: list[NDArray[np.floating]] = []
    for i in np.argsort(-scores, kind="stable"):
        top = corners_bev(boxes[i : i + 1])[0].max(axis=0) + 0.15
        inside = x0 < top[0] < x1 - spacing[0] and y0 < top[1] < y1 - spacing[1]
        if not inside or any((np.abs(top - other) < spacing).all() for other in written):
            continue
        written.append(top)
        label = f"{scores[i]:.2f}".lstrip("0")
        colour = mix(colours[i], theme.contrast, 0.5)
        text = axes.text(top[0], top[1], label, fontsize=5.5, color=colour, zorder=7, va="bottom", gid="score")
        text.set_path_effects([withStroke(linewidth=1.4, foreground=theme.panel)])


def draw_heatmap(axes: Axes, layer: HeatmapLayer, theme: Theme) -> AxesImage:
    """The strongest class of every cell as an image in metres."""
    from matplotlib.colors import LinearSegmentedColormap

    x0, y0, x1, y1 = layer.extent
    ramp = LinearSegmentedColormap.from_list("bev3d_heat", list(theme.heat))
    return axes.imshow(
        layer.strongest, origin="lower", extent=(x0, x1, y0, y1), cmap=ramp, vmin=0, vmax=1,
        interpolation="nearest", zorder=1.5, gid="heatmap",
    )  # fmt: skip


def draw_offsets(axes: Axes, layer: HeatmapLayer, theme: Theme, *, marker_size: float, width: float) -> None:
    """A ring at each peak's cell and an arrow from the cell's lower corner to the centre that the offset names."""
    middle = layer.corners + np.array(layer.cell_size) / 2
    axes.plot(
        middle[:, 0], middle[:, 1], ls="none", marker="o", ms=marker_size, mfc="none", mec=theme.text, mew=0.7,
        zorder=6, gid="peaks",
    )  # fmt: skip
    known = np.isfinite(layer.centres).all(axis=1)
    start, end = layer.corners[known], layer.centres[known]
    axes.quiver(
        start[:, 0], start[:, 1], end[:, 0] - start[:, 0], end[:, 1] - start[:, 1],
        angles="xy", scale_units="xy", scale=1, units="dots", width=width, headwidth=4.0, headlength=4.5,
        headaxislength=4.0, minlength=0, color=theme.offset, ec=theme.panel, lw=0.4, zorder=7, gid="offsets",
    )  # fmt: skip


def _with_alpha(colour: str, alpha: float) -> tuple[str, float]:
    return colour, alpha
