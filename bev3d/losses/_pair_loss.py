"""The one way of losses over aligned boxes: what is unknown, collapsed or not finite, and the precision inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._collapsed import collapse_penalty, known_boxes
from bev3d.losses._module import LossModule
from bev3d.losses._pairs import check_aligned_pair
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["PairLossModule", "pair_loss", "sizes_of"]


def sizes_of(space: str) -> slice:
    """Columns of the sizes that a space looks at: length and width, in ``"3d"`` the height too."""
    return slice(3, 5 if space == "bev" else 6)


def pair_loss(
    pred: Tensor,
    target: Tensor,
    measure: Callable[[Tensor, Tensor], Tensor],
    space: str,
    reduction: Reduction,
) -> Tensor:
    """``measure`` of the known pairs in float64, with the penalty that makes collapsed sizes grow, reduced.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`.
        target: same leading shape; a NaN among x ... yaw takes the pair out.
        measure: takes both (..., 7), gives (...); finite, with a finite gradient, for sizes of any sign.
        space: ``"bev"`` or ``"3d"``: which sizes may have collapsed.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; 0 where the pair is taken out, NaN where its prediction is not finite.
    """
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    dtype = check_aligned_pair(pred, target)
    known, box, wanted = known_boxes(pred.double(), target.double())
    size, wanted_size = box[..., sizes_of(space)], wanted[..., sizes_of(space)]
    slope = 1 / wanted_size.amin(dim=-1).clamp(min=1e-3)
    loss = measure(box, wanted) + collapse_penalty(size, wanted_size, slope)
    loss = torch.where(box.isfinite().all(dim=-1), loss, torch.nan)
    loss = torch.where(known, loss, 0.0)
    return reduce_loss(loss.to(dtype), reduction, known.sum().clamp(min=1))


class PairLossModule(LossModule):
    """A loss over aligned boxes, whose mean is over the pairs with a known target."""

    def count(self, pred: Tensor, target: Tensor, *more: Any) -> Tensor:
        """Pairs whose target has no NaN among x ... yaw."""
        return (~target[..., :7].isnan().any(dim=-1)).sum().clamp(min=1)
