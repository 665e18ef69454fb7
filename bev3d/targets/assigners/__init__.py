"""Which object each anchor, point, prediction or proposal has to find.

All take the objects of one frame, which may have none, give an :class:`Assignment`, decide ties in a fixed way and
leave an object of label -1 (DontCare) unassigned.
"""

from bev3d.targets.assigners._assignment import IGNORED, NEGATIVE, Assignment
from bev3d.targets.assigners._atss import assign_atss
from bev3d.targets.assigners._hungarian import assign_hungarian, focal_class_cost
from bev3d.targets.assigners._max_iou import assign_max_iou
from bev3d.targets.assigners._sample import ProposalSample, sample_proposals
from bev3d.targets.assigners._simota import assign_simota
from bev3d.targets.assigners._task_aligned import assign_task_aligned

__all__ = [
    "IGNORED",
    "NEGATIVE",
    "Assignment",
    "ProposalSample",
    "assign_atss",
    "assign_hungarian",
    "assign_max_iou",
    "assign_simota",
    "assign_task_aligned",
    "focal_class_cost",
    "sample_proposals",
]
