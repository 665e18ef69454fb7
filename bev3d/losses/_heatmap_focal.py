"""Focal loss of Gaussian heatmaps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d_ops.cpu import _focal as cpu

__all__ = ["HeatmapFocalLoss", "heatmap_focal_loss"]


def heatmap_focal_loss(
    logits: Tensor, heatmap: Tensor, *, alpha: float = 2.0, beta: float = 4.0, reduction: Reduction = "none"
) -> Tensor:
    """Penalty-reduced focal loss (CornerNet, Law and Deng 2018, arXiv:1808.01244; CenterNet, arXiv:1904.07850).

    With p = sigmoid(x), in logit space::

        y = 1:  softplus(-x) * (1 - p)^alpha            (-(1 - p)^alpha log p)
        y < 1:  (1 - y)^beta * softplus(x) * p^alpha    (-(1 - y)^beta p^alpha log(1 - p))

    The published code clamps p to [1e-4, 1 - 1e-4] first: no gradient past |x| = 9.21, and -inf or NaN in half
    precision, where 1 - 1e-4 rounds to 1. Here both stay right for any finite logit. On the CPU, float32 and
    float64 run through a kernel that gives loss and slope in one pass.

    Args:
        logits: any shape, such as (B, C, H, W); never probabilities.
        heatmap: same shape, in [0, 1], 1 exactly at objects; no gradient flows into it. Keep it in float32: half
            precision rounds the neighbours of a wide peak to 1.
        alpha: focusing exponent, >= 0.
        beta: exponent of the relief around peaks, >= 0.
        reduction: ``none``, ``mean`` over all elements, or ``sum``. The papers divide the sum by the number of
            objects: ``avg_factor`` of the module.

    Returns:
        Shape of ``logits`` or 0-dim; float32 for half precision, in which nothing is computed.

    Raises:
        ValueError: shapes that differ, a negative exponent, an unknown reduction.
        TypeError: logits or heatmap that are not floating point.
    """
    _check(logits, heatmap, alpha, beta)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    heatmap = heatmap.detach().to(logits.dtype)
    if _fusible(logits):
        return reduce_loss(_FusedFocal.apply(logits, heatmap, alpha, beta), reduction)
    return reduce_loss(_formula(logits, heatmap, alpha, beta), reduction)


class HeatmapFocalLoss(LossModule):
    """:func:`heatmap_focal_loss`, reduced."""

    def __init__(self, *, alpha: float = 2.0, beta: float = 4.0) -> None:
        super().__init__(heatmap_focal_loss, alpha=alpha, beta=beta)


class _FusedFocal(torch.autograd.Function):
    """Loss and slope from one pass; the backward pass is a product. The slope itself can be differentiated."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> Tensor:
        flat = [value.detach().contiguous().view(-1).numpy() for value in (logits, heatmap)]
        wanted, threads = ctx.needs_input_grad[0], torch.get_num_threads()
        loss, slope = cpu.heatmap_focal(flat[0], flat[1], alpha, beta, slope=wanted, threads=threads)
        if wanted:
            ctx.save_for_backward(logits, heatmap, torch.from_numpy(slope).view(logits.shape))
            ctx.exponents = alpha, beta
        return torch.from_numpy(loss).view(logits.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        logits, heatmap, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: the stored slope has no history
            slope = _slope(logits, heatmap, *ctx.exponents)
        return gradient * slope, None, None, None


def _fusible(logits: Tensor) -> bool:
    """Whether these are real numbers on the CPU: no compiler, tracer or functorch transform looks at them."""
    if torch.compiler.is_compiling() or torch.jit.is_scripting() or torch.jit.is_tracing():
        return False
    plain = type(logits) in (Tensor, nn.Parameter) and not torch._C._are_functorch_transforms_active()
    return plain and logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.float64)


def _formula(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> Tensor:
    # h(t) = softplus(t) sigmoid(t)^alpha serves both cases; exp(alpha log sigmoid) keeps the slope finite at 0
    _, t, weight = _cases(logits, heatmap, beta)
    return weight * functional.logsigmoid(-t).neg() * torch.exp(alpha * functional.logsigmoid(t))


def _slope(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> Tensor:
    positive, t, weight = _cases(logits, heatmap, beta)
    log_p, log_q = functional.logsigmoid(t), functional.logsigmoid(-t)
    slope = weight * torch.exp(alpha * log_p) * (torch.exp(log_p) - alpha * torch.exp(log_q) * log_q)
    return torch.where(positive, -slope, slope)


def _cases(logits: Tensor, heatmap: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    positive = heatmap == 1
    return positive, torch.where(positive, -logits, logits), torch.where(positive, 1.0, (1 - heatmap) ** beta)


def _check(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> None:
    for name, value in (("logits", logits), ("heatmap", heatmap)):
        if not value.is_floating_point():
            raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
    if logits.shape != heatmap.shape:
        raise ValueError(f"heatmap: expected shape {tuple(logits.shape)}, as logits, got {tuple(heatmap.shape)}")
    for name, exponent in (("alpha", alpha), ("beta", beta)):
        if not exponent >= 0:
            raise ValueError(f"{name}: expected a number >= 0, got {exponent}")
