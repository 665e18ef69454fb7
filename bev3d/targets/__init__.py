"""Training targets: Gaussian heatmaps with regression by name, coders, anchors and assigners, and the way back."""

from bev3d.targets._anchors import AnchorClass, Anchors, generate_anchors
from bev3d.targets._audit import FLAWS, BoxAudit, audit_targets
from bev3d.targets._audit_checks import AuditRules, size_outliers
from bev3d.targets._decode import decode_heatmap
from bev3d.targets._draw import draw_gaussians
from bev3d.targets._from_config import targets_from_config
from bev3d.targets._grid import OutputGrid
from bev3d.targets._heatmap import HeatmapTargets
from bev3d.targets._radius import gaussian_radius, oriented_radii
from bev3d.targets._record import Targets, TaskTargets
from bev3d.targets.assigners import (
    IGNORED,
    NEGATIVE,
    Assignment,
    ProposalSample,
    assign_atss,
    assign_hungarian,
    assign_max_iou,
    assign_simota,
    assign_task_aligned,
    focal_class_cost,
    sample_proposals,
)
from bev3d.targets.coders import (
    CentreCoder,
    DirectionBins,
    FPointNetCode,
    FPointNetCoder,
    HeadingBins,
    MultibinCoder,
    PointRcnnCode,
    PointRcnnCoder,
    RdiouCoder,
    ResidualCoder,
    TransFusionCoder,
)

__all__ = [
    "FLAWS",
    "IGNORED",
    "NEGATIVE",
    "AnchorClass",
    "Anchors",
    "Assignment",
    "AuditRules",
    "BoxAudit",
    "CentreCoder",
    "DirectionBins",
    "FPointNetCode",
    "FPointNetCoder",
    "HeadingBins",
    "HeatmapTargets",
    "MultibinCoder",
    "OutputGrid",
    "PointRcnnCode",
    "PointRcnnCoder",
    "ProposalSample",
    "RdiouCoder",
    "ResidualCoder",
    "Targets",
    "TaskTargets",
    "TransFusionCoder",
    "assign_atss",
    "assign_hungarian",
    "assign_max_iou",
    "assign_simota",
    "assign_task_aligned",
    "audit_targets",
    "decode_heatmap",
    "draw_gaussians",
    "focal_class_cost",
    "gaussian_radius",
    "generate_anchors",
    "oriented_radii",
    "sample_proposals",
    "size_outliers",
    "targets_from_config",
]
