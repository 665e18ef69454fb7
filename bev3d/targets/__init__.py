"""Training targets: Gaussian heatmaps with regression by name, and the way back to boxes."""

from bev3d.targets._audit import FLAWS, BoxAudit, audit_targets
from bev3d.targets._audit_checks import AuditRules, size_outliers
from bev3d.targets._decode import decode_heatmap
from bev3d.targets._draw import draw_gaussians
from bev3d.targets._from_config import targets_from_config
from bev3d.targets._grid import OutputGrid
from bev3d.targets._heatmap import HeatmapTargets
from bev3d.targets._radius import gaussian_radius
from bev3d.targets._record import Targets, TaskTargets

__all__ = [
    "FLAWS",
    "AuditRules",
    "BoxAudit",
    "HeatmapTargets",
    "OutputGrid",
    "Targets",
    "TaskTargets",
    "audit_targets",
    "decode_heatmap",
    "draw_gaussians",
    "gaussian_radius",
    "size_outliers",
    "targets_from_config",
]
