"""Points: in boxes, in voxels, and added up by voxel."""

from bev3d.points._in_boxes import (
    count_points_in_boxes,
    points_in_boxes,
    points_in_boxes_mask,
    points_in_boxes_pairs,
)
from bev3d.points._scatter import scatter_max, scatter_mean, scatter_sum
from bev3d.points._sweeps import transform_sweeps
from bev3d.points._voxelize import DynamicVoxels, Voxels, dynamic_voxelize, grid_shape, voxelize

__all__ = [
    "DynamicVoxels",
    "Voxels",
    "count_points_in_boxes",
    "dynamic_voxelize",
    "grid_shape",
    "points_in_boxes",
    "points_in_boxes_mask",
    "points_in_boxes_pairs",
    "scatter_max",
    "scatter_mean",
    "scatter_sum",
    "transform_sweeps",
    "voxelize",
]
