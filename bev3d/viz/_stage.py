"""A sample as coloured points, lines and quads in space: what a 3D renderer needs and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data._sample import Detections, Sample
from bev3d.viz._camera import Camera, camera_for
from bev3d.viz._layer import HeatmapLayer, heatmap_layer
from bev3d.viz._scene import BoxSet, detection_boxes, forward_yaw, ground_height, scene_extent, truth_boxes
from bev3d.viz._style import Theme, colour_ramp, hex_to_rgb, mix, theme_named
from bev3d.viz._wires import box_edges, dashes, heading_marks, rings

__all__ = ["Stage", "stage_for"]

HEIGHT_SPAN_M = 4.0
FAINTEST = 0.04


@dataclass(frozen=True, eq=False)
class Stage:
    """Geometry with colours in [0, 1].

    Attributes:
        points, point_colours: (P, 3) each.
        lines, line_colours: (S, 2, 3) and (S, 3).
        quads, quad_colours: (Q, 4, 3) corners of the heatmap's cells on the ground, and (Q, 3).
        truth, found: the boxes behind the lines.
        point_size: pixels.
        extent: x0, y0, x1, y1, metres.
        ground_z: metres.
        forward: heading of the car, radians.
        theme: colours of ground and text.
    """

    points: NDArray[np.float64]
    point_colours: NDArray[np.float64]
    lines: NDArray[np.float64]
    line_colours: NDArray[np.float64]
    quads: NDArray[np.float64]
    quad_colours: NDArray[np.float64]
    truth: BoxSet
    found: BoxSet
    point_size: float
    extent: tuple[float, float, float, float]
    ground_z: float
    forward: float
    theme: Theme

    def camera(self, view: str, size: tuple[int, int]) -> Camera:
        """The camera of a named view."""
        return camera_for(view, extent=self.extent, ground_z=self.ground_z, forward=self.forward, size=size)


def stage_for(
    sample: Sample,
    *,
    detections: Detections | None,
    targets: Any,
    heatmap: Any,
    task: int | None,
    range_m: Sequence[float] | None,
    score_threshold: float,
    theme: str,
) -> Stage:
    """Collect what is seen of a sample; arguments as in :func:`bev3d.viz.bev_figure`."""
    look = theme_named(theme)
    layer = heatmap_layer(targets=targets, heatmap=heatmap, range_m=range_m, task=task)
    truth = truth_boxes(sample, theme=theme)
    found = detection_boxes(detections, score_threshold=score_threshold, theme=theme)
    extent = layer.extent if layer else scene_extent(sample, truth, found, range_m=range_m)
    ground = ground_height(sample)
    points = _visible(sample, extent)
    lines, line_colours = _lines(truth, found, extent, ground, look)
    quads, quad_colours = _quads(layer, ground - 0.25, look)
    shade = (points[:, 2] - ground + 0.3) / HEIGHT_SPAN_M
    return Stage(
        points=points, point_colours=colour_ramp(shade, look.points),
        lines=lines, line_colours=line_colours, quads=quads, quad_colours=quad_colours,
        truth=truth, found=found, point_size=float(np.clip(450 / np.sqrt(max(len(points), 1)), 1.3, 2.6)),
        extent=extent, ground_z=ground, forward=forward_yaw(sample), theme=look,
    )  # fmt: skip


def _visible(sample: Sample, extent: tuple[float, float, float, float]) -> NDArray[np.float64]:
    x0, y0, x1, y1 = extent
    xyz = sample.points[:, :3].astype(np.float64)
    x, y = xyz[:, 0], xyz[:, 1]
    return xyz[np.isfinite(xyz).all(axis=1) & (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]


def _lines(
    truth: BoxSet, found: BoxSet, extent: tuple[float, float, float, float], ground: float, theme: Theme
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    circles = rings(max(abs(side) for side in extent), ground)
    solid = np.concatenate([box_edges(truth.boxes), heading_marks(truth.boxes)[:, None]], axis=1)
    thin = box_edges(found.boxes).reshape(-1, 2, 3)
    broken, owners = dashes(thin)
    truth_rgb = _rgb(truth.colours)
    found_rgb = _rgb([mix(colour, theme.contrast, 0.55) for colour in found.colours])
    lines = np.concatenate([circles, solid.reshape(-1, 2, 3), broken])
    colours = [
        np.tile(hex_to_rgb(theme.grid), (len(circles), 1)),
        np.repeat(truth_rgb, solid.shape[1], axis=0),
        np.repeat(found_rgb, 12, axis=0)[owners],
    ]
    return lines, np.concatenate(colours)


def _quads(layer: HeatmapLayer | None, height: float, theme: Theme) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if layer is None:
        return np.zeros((0, 4, 3)), np.zeros((0, 3))
    rows, columns = np.nonzero(layer.strongest > FAINTEST)
    low = np.array(layer.extent[:2]) + np.stack([columns, rows], axis=-1) * np.array(layer.cell_size)
    steps = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * np.array(layer.cell_size)
    corners = low[:, None, :] + steps
    quads = np.concatenate([corners, np.full((*corners.shape[:2], 1), height)], axis=-1)
    return quads, colour_ramp(layer.strongest[rows, columns], theme.heat)


def _rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    return np.array([hex_to_rgb(colour) for colour in colours]).reshape(-1, 3)
