"""Focal loss of Gaussian heatmaps."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from bev3d._check import check_choice
from bev3d.losses._inputs import check_unit_interval
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d_ops.reference._focal import focal_loss, focal_slope
from bev3d_ops.registered._focal import heatmap_focal_map, heatmap_focal_sums

__all__ = ["HeatmapFocalLoss", "heatmap_focal_loss"]


def heatmap_focal_loss(
    logits: Tensor, heatmap: Tensor, *, alpha: float = 2.0, beta: float = 4.0, reduction: Reduction = "none"
) -> Tensor:
    """Penalty-reduced focal loss (CornerNet, Law and Deng 2018, arXiv:1808.01244; CenterNet, arXiv:1904.07850).

    With p = sigmoid(x), in logit space::

        y = 1:  softplus(-x) * (1 - p)^alpha            (-(1 - p)^alpha log p)
        y < 1:  (1 - y)^beta * softplus(x) * p^alpha    (-(1 - y)^beta p^alpha log(1 - p))

    The published code clamps p to [1e-4, 1 - 1e-4] first: no gradient past |x| = 9.21, and -inf or NaN in half
    precision, where 1 - 1e-4 rounds to 1. Here both stay right for any finite logit. One pass over the maps gives
    loss and slope; ``sum`` and ``mean`` write no map of the loss, and add up in the same order whatever the number
    of threads.

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
        ValueError: shapes that differ, a heatmap outside [0, 1] (CPU), a negative exponent, an unknown reduction.
        TypeError: logits or heatmap that are not floating point.
    """
    _check(logits, heatmap, alpha, beta)
    check_choice("reduction", reduction, get_args(Reduction))
    if not _fusible(logits):
        real = torch.float64 if logits.dtype == torch.float64 else torch.float32
        return reduce_loss(focal_loss(logits.to(real), heatmap.detach().to(real), alpha, beta), reduction)
    loss = _fused(logits, heatmap.detach(), float(alpha), float(beta), reduction != "none")
    if loss.device.type == "cpu" and not torch.compiler.is_compiling() and bool(loss.detach().isnan().any()):
        check_unit_interval("heatmap", heatmap.detach())  # the kernel gives NaN there: a look at the result is enough
    return loss / max(logits.numel(), 1) if reduction == "mean" else loss


class HeatmapFocalLoss(LossModule):
    """:func:`heatmap_focal_loss`, reduced."""

    def __init__(self, *, alpha: float = 2.0, beta: float = 4.0) -> None:
        super().__init__(heatmap_focal_loss, alpha=alpha, beta=beta)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        *more: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """As :meth:`LossModule.forward`; without a weight no map of the loss is written."""
        if weight is not None:
            return super().forward(pred, target, *more, weight=weight, avg_factor=avg_factor)
        loss = self.function(pred, target, *more, reduction="sum", **self.options)
        return loss / (max(pred.numel(), 1) if avg_factor is None else avg_factor)


def _fused(logits: Tensor, heatmap: Tensor, alpha: float, beta: float, summed: bool) -> Tensor:
    """Loss of every element, or its sum, 0-dim."""
    wanted = torch.is_grad_enabled() and logits.requires_grad
    if wanted and not torch.compiler.is_compiling():
        loss: Tensor = _FusedFocal.apply(logits, heatmap, alpha, beta, summed)
        return loss
    return _loss_and_slope(logits, heatmap, alpha, beta, summed, wanted)[0]


class _FusedFocal(torch.autograd.Function):
    """The registered operation with less memory behind it, and with second derivatives.

    The first backward pass scales the slope where it lies and hands it out; another one, which few ask for,
    computes it again.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, heatmap: Tensor, alpha: float, beta: float, summed: bool) -> Tensor:
        loss, ctx.slope = _loss_and_slope(logits, heatmap, alpha, beta, summed, True)
        ctx.save_for_backward(logits, heatmap)
        ctx.options = alpha, beta, summed
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, heatmap = ctx.saved_tensors
        alpha, beta, summed = ctx.options
        if torch.is_grad_enabled():  # create_graph: the stored slope has no history
            real = gradient.dtype
            product = gradient * focal_slope(logits.to(real), heatmap.to(real), alpha, beta)
            return product.to(logits.dtype), None, None, None, None
        slope, ctx.slope = ctx.slope, None
        if slope is None:
            slope = _loss_and_slope(logits, heatmap, alpha, beta, summed, True)[1]
        return _scaled(slope, gradient, logits.dtype), None, None, None, None


def _loss_and_slope(
    logits: Tensor, heatmap: Tensor, alpha: float, beta: float, summed: bool, wanted: bool
) -> tuple[Tensor, Tensor]:
    if summed:
        sums, slope = heatmap_focal_sums(logits, heatmap, alpha, beta, 1, wanted)
        return sums.squeeze(0), slope
    loss, slope = heatmap_focal_map(logits, heatmap, alpha, beta, wanted)
    return loss, slope


def _scaled(slope: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Slope times factor, written over it where the types allow."""
    if slope.dtype != dtype:
        return torch.mul(slope, factor, out=torch.empty_like(slope, dtype=dtype))
    if factor.ndim == 0 and factor.device.type == "cpu" and factor.item() == 1:
        return slope
    return slope.mul_(factor)


def _fusible(logits: Tensor) -> bool:
    """Whether the operation knows the numbers, and no tracer or functorch transform looks at them."""
    if torch.compiler.is_compiling():
        return _known(logits)
    if torch.jit.is_scripting() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
        return False
    return type(logits) in (Tensor, nn.Parameter) and _known(logits)


def _known(logits: Tensor) -> bool:
    known = logits.dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    return known and logits.device.type in ("cpu", "cuda")


def _check(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> None:
    for name, value in (("logits", logits), ("heatmap", heatmap)):
        if not value.is_floating_point():
            raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
    if logits.shape != heatmap.shape:
        raise ValueError(f"heatmap: expected shape {tuple(logits.shape)}, as logits, got {tuple(heatmap.shape)}")
    for name, exponent in (("alpha", alpha), ("beta", beta)):
        if not exponent >= 0:
            raise ValueError(f"{name}: expected a number >= 0, got {exponent}")
