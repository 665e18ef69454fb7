"""Settings: from network outputs to boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["PredictConfig"]


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """From network outputs to boxes."""

    score_threshold: float = 0.05
    """Peaks below it are left out."""
    score_rectification: tuple[float, ...] = (0.5,)
    """With iou_head: a in score^(1 - a) * IoU^a, by class or one for all; 0 leaves the score as it is."""
    max_detections: int = 200
    """Most boxes a sample, best scores first (nuScenes allows 500)."""
    peak_window: tuple[int, ...] = (3,)
    """Side of the window, in output cells, in which a peak is the largest, by class or one for all; odd, and 1 for
    small classes that stand in neighbouring cells."""
    nms: Literal["none", "circle", "bev"] = "circle"
    """Suppression after the peak search: by centre distance, or by rotated BEV IoU."""
    nms_radius_m: tuple[float, ...] = (1.0,)
    """Circle suppression radius by class in metres, or one for all."""
    nms_iou: float = 0.2
    """Threshold of the BEV IoU."""

    def check_prediction(self, classes: int) -> None:
        """Raise where the settings of prediction cannot be for so many classes."""
        check_positive(self, "max_detections")
        rectification = self.score_rectification
        if len(rectification) not in (1, classes) or any(not 0 <= a <= 1 for a in rectification):
            refuse("score_rectification", f"1 or {classes} numbers in [0, 1]", rectification)
        if len(self.nms_radius_m) not in (1, classes):
            refuse("nms_radius_m", f"1 or {classes} radii", self.nms_radius_m)
        if len(self.peak_window) not in (1, classes) or any(side < 1 or side % 2 == 0 for side in self.peak_window):
            refuse("peak_window", f"1 or {classes} odd numbers >= 1", self.peak_window)
