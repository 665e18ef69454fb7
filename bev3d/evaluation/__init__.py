"""Submissions, and the metrics that judge them."""

from bev3d.evaluation._analysis import Analysis, ErrorAnalysis, Gain
from bev3d.evaluation._bootstrap import Comparison, Interval
from bev3d.evaluation._calibration import Calibration, Reliability, reliability
from bev3d.evaluation._confusion import Confusion, WorstSample
from bev3d.evaluation._error_kinds import ERROR_KINDS
from bev3d.evaluation._make import make_evaluator
from bev3d.evaluation._submission import read_submission, write_submission
from bev3d.evaluation.kitti import (
    KittiEvaluator,
    KittiResult,
    analyse_kitti,
    compare_kitti,
    evaluate_kitti,
    image_boxes,
)
from bev3d.evaluation.nuscenes import (
    NuScenesEvaluator,
    NuScenesResult,
    analyse_nuscenes,
    compare_nuscenes,
    evaluate_nuscenes,
)

__all__ = [
    "ERROR_KINDS",
    "Analysis",
    "Calibration",
    "Comparison",
    "Confusion",
    "ErrorAnalysis",
    "Gain",
    "Interval",
    "KittiEvaluator",
    "KittiResult",
    "NuScenesEvaluator",
    "NuScenesResult",
    "Reliability",
    "WorstSample",
    "analyse_kitti",
    "analyse_nuscenes",
    "compare_kitti",
    "compare_nuscenes",
    "evaluate_kitti",
    "evaluate_nuscenes",
    "image_boxes",
    "make_evaluator",
    "read_submission",
    "reliability",
    "write_submission",
]
