"""Settings: the loss and its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import refuse

__all__ = ["LossConfig"]

TERMS = ("heatmap", "classification", "direction", "regression", "iou", "iou_quality", "corner", "gaussian")
NAMES = ("offset", "height", "log_size", "heading", "velocity")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The loss and its terms; a weight of 0 turns a term off."""

    heatmap_weight: float = 1.0
    """Centre heads: weight of the heatmap focal loss."""
    heatmap_loss: Literal["focal", "gathered_focal"] = "focal"
    """Positives where the heatmap is 1, or gathered object by object as CenterPoint does; they differ where two objects
    share a cell."""
    classification_weight: float = 1.0
    """Anchor head: weight of the focal loss of the anchors' classes."""
    focal_alpha: float = 0.25
    """Anchor head: weight of a positive in the focal loss, 1 - alpha that of a negative."""
    focal_gamma: float = 2.0
    """Anchor head: focusing power of the focal loss."""
    direction_weight: float = 0.2
    """Anchor head: weight of the cross entropy of the heading's sector."""
    regression_weight: float = 0.25
    """Weight of the sum over the named regression terms."""
    regression_loss: Literal["l1", "smooth_l1", "huber", "balanced_l1", "focal_l1"] = "l1"
    """Which regression loss; the velocity has its own."""
    smooth_l1_beta: float = 0.1111111111111111
    """smooth_l1: where it turns from a parabola into a line."""
    offset_weight: float = 1.0
    """Weight of the sub-cell offset within the regression."""
    height_weight: float = 1.0
    """Weight of z."""
    log_size_weight: float = 1.0
    """Weight of the log sizes."""
    heading_weight: float = 1.0
    """Weight of sin and cos of the yaw (anchor head: of the sine of the difference)."""
    velocity_weight: float = 0.2
    """Weight of the velocity; components that are NaN in the target do not count."""
    velocity_delta_mps: float = 4.0
    """Point of change of the velocity's Huber loss, e²/2δ within and abs(e) - δ/2 beyond; 0: L1, as published."""
    iou_weight: float = 0.0
    """Weight of the rotated overlap loss on the decoded boxes."""
    iou_kind: Literal["iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou"] = "diou"
    """Which overlap loss."""
    iou_space: Literal["bev", "3d"] = "3d"
    """Overlap of the footprints or of the volumes."""
    iou_quality_weight: float = 0.0
    """Weight of the loss of the predicted overlap, where iou_head is on."""
    iou_quality_loss: Literal["l1", "smooth_l1"] = "l1"
    """How the predicted overlap is compared with 2 IoU - 1 of the decoded box."""
    corner_weight: float = 0.0
    """Weight of the corner loss on the decoded boxes."""
    corner_variant: Literal["per_box", "per_corner", "huber_sum"] = "per_box"
    """Which corner loss."""
    corner_flip_invariant: bool = True
    """Whether a box that faces the wrong way costs nothing in it."""
    gaussian_weight: float = 0.0
    """Weight of the loss of the boxes taken as Gaussians."""
    gaussian_kind: Literal["gwd", "kld", "jd", "bd", "kfiou", "probiou"] = "kld"
    """Which distance of Gaussians."""
    gaussian_space: Literal["bev", "3d"] = "3d"
    """Gaussians of the footprints or of the volumes."""

    @property
    def regression_weights(self) -> Mapping[str, float]:
        """Weights of the regression terms by name."""
        return {name: getattr(self, f"{name}_weight") for name in NAMES}

    def check_loss(self, head: str, iou_head: bool) -> None:
        """Raise where the settings of the loss cannot be, or do not fit the head."""
        for name in (*TERMS, *NAMES):
            value = getattr(self, f"{name}_weight")
            if not 0 <= value < float("inf"):
                refuse(f"{name}_weight", "a finite number >= 0", value)
        for key in ("smooth_l1_beta", "velocity_delta_mps", "focal_gamma"):
            if not getattr(self, key) >= 0:
                refuse(key, "a number >= 0", getattr(self, key))
        if not self.focal_alpha <= 1:
            refuse("focal_alpha", "at most 1 (negative: no weighing)", self.focal_alpha)
        if iou_head != (self.iou_quality_weight > 0):
            expected = "> 0 with iou_head" if iou_head else "0 without iou_head"
            refuse("iou_quality_weight", expected, self.iou_quality_weight)
        if head == "anchor" and self.regression_loss not in ("l1", "smooth_l1"):
            refuse("regression_loss", "l1 or smooth_l1 with the anchor head", self.regression_loss)
