"""Settings: the loss and its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["LossConfig"]


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The loss and its terms."""

    heatmap_weight: float = 1.0
    """Weight of the heatmap focal loss."""
    regression_weight: float = 0.25
    """Weight of the sum over the named regression terms."""
    offset_weight: float = 1.0
    """Weight of the sub-cell offset within the regression."""
    height_weight: float = 1.0
    """Weight of z."""
    log_size_weight: float = 1.0
    """Weight of the log sizes."""
    heading_weight: float = 1.0
    """Weight of sin and cos of the yaw."""
    velocity_weight: float = 0.2
    """Weight of the velocity; components that are NaN in the target do not count."""
    iou_weight: float = 0.0
    """Weight of the rotated overlap loss on the decoded boxes; 0 turns it off."""
    iou_kind: Literal["iou", "giou", "diou"] = "diou"
    """Which overlap loss."""
    corner_weight: float = 0.0
    """Weight of the corner loss on the decoded boxes; 0 turns it off."""

    @property
    def regression_weights(self) -> Mapping[str, float]:
        """Weights of the regression terms by name."""
        names = ("offset", "height", "log_size", "heading", "velocity")
        return {name: getattr(self, f"{name}_weight") for name in names}
