"""``bev3d::corner_loss``: the loss and, where they are wanted, its slopes by both boxes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _corner as cpu
from bev3d_ops.cuda import _corner as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register

__all__ = ["corner_loss"]

Three = tuple[Tensor, Tensor, Tensor]


def _on_cpu(pred: Tensor, target: Tensor, variant: str, flip_invariant: bool, slopes: bool) -> Three:
    _check(pred, target, variant)
    arrays = kernel_arrays(pred, target)
    loss, by_pred, by_target = cpu.corner_loss(arrays[0], arrays[1], variant, flip_invariant, slopes)
    return torch.from_numpy(loss), torch.from_numpy(by_pred), torch.from_numpy(by_target)


def _on_cuda(pred: Tensor, target: Tensor, variant: str, flip_invariant: bool, slopes: bool) -> Three:
    _check(pred, target, variant)
    return cuda.corner_loss(cuda_launch, pred, target, variant, flip_invariant, slopes)


def _fake(pred: Tensor, target: Tensor, variant: str, flip_invariant: bool, slopes: bool) -> Three:
    _check(pred, target, variant)
    count = pred.shape[0] if slopes else 0
    return pred.new_empty(pred.shape[0]), pred.new_empty((count, 7)), pred.new_empty((count, 7))


def _check(pred: Tensor, target: Tensor, variant: str) -> None:
    if pred.dtype not in (torch.float32, torch.float64) or target.dtype != pred.dtype:
        raise TypeError(f"pred, target: expected both float32 or both float64, got {pred.dtype} and {target.dtype}")
    if pred.ndim != 2 or pred.shape[1] != 7 or target.shape != pred.shape:
        shapes = f"{tuple(pred.shape)} and {tuple(target.shape)}"
        raise ValueError(f"pred, target: expected one shape (N, 7), got {shapes}")
    if target.device != pred.device:
        raise ValueError(f"target: expected the device of pred ({pred.device}), got {target.device}")
    if variant not in cpu.VARIANTS:
        raise ValueError(f"variant: expected one of {', '.join(cpu.VARIANTS)}, got {variant!r}")


def _keep_slopes(ctx: Any, inputs: tuple[Any, ...], output: Three) -> None:
    _, by_pred, by_target = output
    ctx.mark_non_differentiable(by_pred, by_target)
    ctx.save_for_backward(by_pred, by_target)
    ctx.has_slopes = inputs[4]


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, Tensor | None, None, None, None]:
    if not ctx.has_slopes:
        raise RuntimeError("bev3d::corner_loss: expected slopes=True, since a gradient is asked for, got False")
    by_pred, by_target = ctx.saved_tensors
    needs_pred, needs_target = ctx.needs_input_grad[:2]
    grad = grad[:, None]
    return grad * by_pred if needs_pred else None, grad * by_target if needs_target else None, None, None, None


corner_loss = register(
    "corner_loss(Tensor pred, Tensor target, str variant, bool flip_invariant, bool slopes)"
    " -> (Tensor, Tensor, Tensor)",
    cpu=_on_cpu,
    cuda=_on_cuda,
    fake=_fake,
    setup=_keep_slopes,
    backward=_backward,
)
"""pred, target (N, 7) -> loss (N,), its slopes by pred and by target (N, 7), empty without ``slopes``.

Formulas: :func:`bev3d_ops.reference._corner.corner_loss`. Only the loss is differentiable, and only where the slopes
were asked for.
"""
