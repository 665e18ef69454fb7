"""Settings: from network outputs to boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_by_class, check_positive, refuse

__all__ = ["PredictConfig"]


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """From network outputs to boxes."""

    score_threshold: float = 0.05
    """Peaks below it are left out."""
    score_rectification: tuple[float, ...] = (0.5,)
    """With iou_head: a in score^(1 - a) * IoU^a, by class or one for all; 0 leaves the score as it is."""
    class_score_thresholds: tuple[float, ...] = ()
    """Lowest scores by class, beside score_threshold, which holds for all; empty: that alone."""
    post_range_m: tuple[float, ...] = ()
    """Boxes whose centre lies outside x0, y0, z0, x1, y1, z1, in metres, are left out; empty: none is."""
    max_detections: int = 200
    """Most boxes a sample, best scores first (nuScenes allows 500)."""
    max_per_class: tuple[int, ...] = ()
    """Most boxes of a class in a sample, by class or one number for all; empty: no limit of its own."""
    peak_window: tuple[int, ...] = (3,)
    """Side of the window, in output cells, in which a peak is the largest, by class or one for all; odd, and 1 for
    small classes that stand in neighbouring cells."""
    nms: Literal["none", "circle", "bev", "diou", "weighted"] = "circle"
    """Suppression after the peak search: by centre distance, by rotated BEV IoU, by BEV DIoU, or by BEV IoU with
    what is suppressed merged into what stays."""
    nms_agnostic: bool = False
    """Whether boxes of different classes suppress each other."""
    nms_radius_m: tuple[float, ...] = (1.0,)
    """Circle suppression radius by class in metres, or one for all."""
    nms_iou: tuple[float, ...] = (0.2,)
    """Threshold of the BEV IoU or DIoU by class, or one for all."""
    nms_pre_max: int = 1000
    """Most boxes of a class (of all classes where nms_agnostic) that take part in the suppression."""
    double_flip: Literal["none", "x", "y", "both"] = "none"
    """Coordinates whose sign is changed to see every sample two ("x", "y") or four ("both") times; the answers are
    merged."""

    def check_prediction(self, classes: int, range_m: tuple[float, ...]) -> None:
        """Raise where the settings of prediction cannot be for so many classes and this range of the grid."""
        check_positive(self, "max_detections", "nms_pre_max")
        share, positive = "numbers in [0, 1]", "numbers > 0"
        check_by_class("class_score_thresholds", self.class_score_thresholds, classes, share, _is_share, optional=True)
        check_by_class("score_rectification", self.score_rectification, classes, share, _is_share)
        check_by_class("max_per_class", self.max_per_class, classes, positive, lambda n: n > 0, optional=True)
        check_by_class("nms_radius_m", self.nms_radius_m, classes, "radii >= 0", lambda r: 0 <= r < math.inf)
        check_by_class("nms_iou", self.nms_iou, classes, share, _is_share)
        odd = "odd numbers >= 1"
        check_by_class("peak_window", self.peak_window, classes, odd, lambda side: side >= 1 and side % 2 == 1)
        limits = self.post_range_m
        if limits and (len(limits) != 6 or not all(limits[i] < limits[i + 3] for i in range(3))):
            refuse("post_range_m", "nothing, or x0 < x1, y0 < y1, z0 < z1 as six numbers", limits)
        key = "nms_radius_m" if self.nms == "circle" else "nms_iou"
        if self.nms_agnostic and len(set(getattr(self, key))) > 1:
            refuse(key, "one number for all classes where nms_agnostic", getattr(self, key))
        for axis, place in (("x", 0), ("y", 1)):
            if self.double_flip in (axis, "both") and abs(range_m[place] + range_m[place + 3]) > 1e-6:
                expected = f"no flip of {axis}, which needs a range_m from -{axis}1 to {axis}1"
                refuse("double_flip", f"{expected} (here {range_m[place]} to {range_m[place + 3]})", self.double_flip)


def _is_share(value: float) -> bool:
    return 0 <= value <= 1
