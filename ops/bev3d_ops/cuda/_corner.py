"""Corner losses and their slopes on CUDA."""

from __future__ import annotations

from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["corner_loss"]


def corner_loss(
    launch: Launch, pred: Tensor, target: Tensor, variant: str, flip_invariant: bool, slopes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """See :data:`bev3d_ops.registered._corner.corner_loss`."""
    pred, target = pred.contiguous(), target.contiguous()
    count, flip = len(pred), -1.0 if flip_invariant else 1.0
    loss = pred.new_empty(count)
    by_pred, by_target = (pred.new_empty((count if slopes else 0, 7)) for _ in range(2))
    out = (loss, by_pred, by_target) if slopes else (loss, None, None)
    launch(f"corner.{variant}", pred.dtype, count, pred, target, *out, count, flip)
    return loss, by_pred, by_target
