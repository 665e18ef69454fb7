"""Close-ups of a few peaks, large enough for single cells and offset arrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.data._sample import Sample
from bev3d.viz._draw import draw_boxes, draw_heatmap, draw_offsets, draw_points
from bev3d.viz._layer import HeatmapLayer
from bev3d.viz._scene import BoxSet, ground_height
from bev3d.viz._style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["choose_details", "draw_details"]

CELLS = 11


def draw_details(
    panels: Sequence[Axes], sample: Sample, truth: BoxSet, found: BoxSet, layer: HeatmapLayer, theme: Theme
) -> None:
    """Fill each panel with the surroundings of one peak; panels that find none are hidden."""
    chosen = choose_details(truth, layer, len(panels))
    for panel in panels[len(chosen) :]:
        panel.set_visible(False)
    for panel, (peak, box) in zip(panels, chosen, strict=False):
        centre = layer.corners[peak] + np.array(layer.cell_size) / 2
        half = CELLS / 2 * max(layer.cell_size)
        draw_heatmap(panel, layer, theme)
        near = np.abs(sample.points[:, :2] - centre).max(axis=1) < half
        draw_points(panel, sample.points[near], theme, ground_z=ground_height(sample), size=1.6, alpha=0.45)
        draw_boxes(panel, truth.boxes, truth.colours, kind="truth", theme=theme, width=1.2, motion=False)
        draw_boxes(panel, found.boxes, found.colours, kind="detection", theme=theme, width=1.2, motion=False)
        draw_offsets(panel, layer, theme, marker_size=0, width=3.0)
        _cell_lines(panel, layer, centre, half, theme)
        panel.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
        panel.set_aspect("equal")
        name = truth.names[box].replace("_", " ") if box >= 0 else "peak"
        value = layer.strongest[layer.cells[peak, 1], layer.cells[peak, 0]]
        panel.set_title(f"{name} · peak {value:.2f}", loc="left", fontsize=7.5, color=theme.text, pad=3)
        panel.tick_params(labelsize=6)


def choose_details(truth: BoxSet, layer: HeatmapLayer, count: int) -> list[tuple[int, int]]:
    """Up to ``count`` pairs of a peak and its box (-1 without one), strong and near, classes in turn."""
    if not len(layer.cells):
        return []
    strength = layer.strongest[layer.cells[:, 1], layer.cells[:, 0]]
    middle = layer.corners + np.array(layer.cell_size) / 2
    order = np.lexsort((np.hypot(middle[:, 0], middle[:, 1]), -np.round(strength, 1)))
    pairs = [(int(peak), _box_at(middle[peak], truth)) for peak in order]
    chosen: list[tuple[int, int]] = []
    seen: set[str] = set()
    for peak, box in pairs:
        name = truth.names[box] if box >= 0 else ""
        if name and name not in seen:
            chosen.append((peak, box))
            seen.add(name)
    chosen += [pair for pair in pairs if pair not in chosen]
    return chosen[:count]


def _box_at(xy: NDArray[np.float64], truth: BoxSet) -> int:
    if not len(truth):
        return -1
    gap = np.hypot(*(truth.boxes[:, Box.BEV_CENTRE] - xy).T)
    nearest = int(gap.argmin())
    return nearest if gap[nearest] < max(1.5, truth.boxes[nearest, Box.WIDTH] / 2) else -1


def _cell_lines(axes: Axes, layer: HeatmapLayer, centre: NDArray[np.float64], half: float, theme: Theme) -> None:
    """The grid of cells, faint, over the close-up."""
    for axis, draw in ((0, axes.axvline), (1, axes.axhline)):
        size, start = layer.cell_size[axis], layer.extent[axis]
        first = int(np.ceil((centre[axis] - half - start) / size))
        last = int(np.floor((centre[axis] + half - start) / size))
        for i in range(first, last + 1):
            draw(start + i * size, color=theme.grid, lw=0.35, alpha=0.8, zorder=1.8)
