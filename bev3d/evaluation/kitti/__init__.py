"""The KITTI object metric and its result files."""

from bev3d.evaluation.kitti._evaluate import MIN_OVERLAP, evaluate_kitti
from bev3d.evaluation.kitti._evaluator import KittiEvaluator, analyse_kitti, compare_kitti
from bev3d.evaluation.kitti._files import read_kitti, write_kitti
from bev3d.evaluation.kitti._projection import image_boxes
from bev3d.evaluation.kitti._result import KittiCurve, KittiResult

__all__ = [
    "MIN_OVERLAP",
    "KittiCurve",
    "KittiEvaluator",
    "KittiResult",
    "analyse_kitti",
    "compare_kitti",
    "evaluate_kitti",
    "image_boxes",
    "read_kitti",
    "write_kitti",
]
