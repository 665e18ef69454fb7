"""Submissions, and the metrics that judge them."""

from bev3d.evaluation._submission import read_submission, write_submission
from bev3d.evaluation.kitti import KittiResult, evaluate_kitti, image_boxes
from bev3d.evaluation.nuscenes import NuScenesResult, evaluate_nuscenes

__all__ = [
    "KittiResult",
    "NuScenesResult",
    "evaluate_kitti",
    "evaluate_nuscenes",
    "image_boxes",
    "read_submission",
    "write_submission",
]
