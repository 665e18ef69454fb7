"""The nuScenes detection metric and its submission format."""

from bev3d.evaluation.nuscenes._curves import Curves
from bev3d.evaluation.nuscenes._evaluate import analyse_nuscenes, compare_nuscenes, evaluate_nuscenes
from bev3d.evaluation.nuscenes._evaluator import NuScenesEvaluator, Predictions
from bev3d.evaluation.nuscenes._result import ClassResult, NuScenesResult
from bev3d.evaluation.nuscenes._submission import read_nuscenes, write_nuscenes

__all__ = [
    "ClassResult",
    "Curves",
    "NuScenesEvaluator",
    "NuScenesResult",
    "Predictions",
    "analyse_nuscenes",
    "compare_nuscenes",
    "evaluate_nuscenes",
    "read_nuscenes",
    "write_nuscenes",
]
