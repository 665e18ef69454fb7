"""Loss terms of decoded boxes, and the regression loss, as a configuration names them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.losses import (
    balanced_l1_loss,
    corner_loss,
    focal_l1_loss,
    gaussian_box_loss,
    huber_loss,
    l1_loss,
    rotated_iou_loss,
    smooth_l1_loss,
)

__all__ = ["PairLoss", "box_terms", "elementwise", "hide_free", "velocity_term"]

PairLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(prediction, target), NaN where unknown -> unreduced loss."""

CORNERS = 8


def box_terms(config: Config) -> dict[str, tuple[PairLoss, float]]:
    """Loss and weight of every term of aligned boxes (..., 7) whose weight is not 0, by name.

    A pair whose target is NaN costs 0. ``corner`` is a mean over the eight corners, whatever the variant.
    """
    return {name: pair for name, pair in _all_terms(config).items() if pair[1] > 0}


def _all_terms(config: Config) -> dict[str, tuple[PairLoss, float]]:
    overlap = partial(rotated_iou_loss, kind=config.iou_kind, space=config.iou_space)
    gaussian = partial(gaussian_box_loss, kind=config.gaussian_kind, space=config.gaussian_space)
    corners = partial(corner_loss, variant=config.corner_variant, flip_invariant=config.corner_flip_invariant)

    def mean_corner(pred: Tensor, target: Tensor) -> Tensor:
        loss = corners(pred, target)
        return loss if config.corner_variant == "per_corner" else loss / CORNERS

    return {
        "iou": (overlap, config.iou_weight),
        "corner": (mean_corner, config.corner_weight),
        "gaussian": (gaussian, config.gaussian_weight),
    }


def elementwise(name: str, beta: float) -> PairLoss:
    """The regression loss of that name; ``beta`` is smooth L1's."""
    named: dict[str, PairLoss] = {
        "l1": l1_loss,
        "smooth_l1": partial(smooth_l1_loss, beta=beta),
        "huber": huber_loss,
        "balanced_l1": balanced_l1_loss,
        "focal_l1": focal_l1_loss,
    }
    return named[name]


def velocity_term(delta_mps: float) -> PairLoss:
    """Huber over delta; 0: L1. Most objects stand, so the median of the velocity is 0, and L1 hardly leaves it."""
    return l1_loss if delta_mps == 0 else partial(smooth_l1_loss, beta=delta_mps)


def hide_free(values: Tensor, mask: Tensor) -> Tensor:
    """Values (..., c) with NaN, unknown, in free slots (...): every loss leaves them out, and no device waits."""
    return torch.where(mask[..., None], values, torch.nan)
