"""The target builder that a configuration describes."""

from __future__ import annotations

from bev3d.config import Config
from bev3d.targets._heatmap import HeatmapTargets

__all__ = ["targets_from_config"]


def targets_from_config(config: Config) -> HeatmapTargets:
    """``HeatmapTargets`` with the tasks, grid and radius rule of ``config``."""
    return HeatmapTargets(
        tasks=config.tasks,
        range_m=config.range_m,
        voxel_size_m=config.voxel_size_m,
        stride=config.stride,
        radius=config.radius,
        min_overlap=config.min_overlap,
        min_radius=config.min_radius,
        max_objects=config.max_objects,
    )
