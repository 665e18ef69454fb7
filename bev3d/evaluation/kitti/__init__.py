"""The KITTI object metric and its result files."""

from bev3d.evaluation.kitti._evaluate import MIN_OVERLAP, chosen_overlaps, evaluate_kitti, score_frames
from bev3d.evaluation.kitti._evaluator import (
    KittiEvaluator,
    analyse_kitti,
    analyse_kitti_frames,
    compare_kitti,
    compare_kitti_frames,
    kitti_case,
)
from bev3d.evaluation.kitti._files import read_kitti, write_kitti
from bev3d.evaluation.kitti._frames import Frames, read_frames
from bev3d.evaluation.kitti._judge import KittiCase
from bev3d.evaluation.kitti._overlaps import upright_boxes
from bev3d.evaluation.kitti._projection import image_boxes
from bev3d.evaluation.kitti._result import KittiCurve, KittiResult

__all__ = [
    "MIN_OVERLAP",
    "Frames",
    "KittiCase",
    "KittiCurve",
    "KittiEvaluator",
    "KittiResult",
    "analyse_kitti",
    "analyse_kitti_frames",
    "chosen_overlaps",
    "compare_kitti",
    "compare_kitti_frames",
    "evaluate_kitti",
    "image_boxes",
    "kitti_case",
    "read_frames",
    "read_kitti",
    "score_frames",
    "upright_boxes",
    "write_kitti",
]
