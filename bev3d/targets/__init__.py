"""Training targets: Gaussian heatmaps with regression by name, and the way back to boxes."""

from bev3d.targets._decode import decode_heatmap
from bev3d.targets._draw import draw_gaussians
from bev3d.targets._from_config import targets_from_config
from bev3d.targets._grid import OutputGrid
from bev3d.targets._heatmap import HeatmapTargets
from bev3d.targets._radius import gaussian_radius
from bev3d.targets._record import Targets, TaskTargets

__all__ = [
    "HeatmapTargets",
    "OutputGrid",
    "Targets",
    "TaskTargets",
    "decode_heatmap",
    "draw_gaussians",
    "gaussian_radius",
    "targets_from_config",
]
