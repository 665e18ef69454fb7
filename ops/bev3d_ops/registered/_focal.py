"""``bev3d::heatmap_focal_map`` and ``bev3d::heatmap_focal_sums``: loss and slope in one pass over the maps."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d_ops.cpu import _focal as cpu
from bev3d_ops.cuda import _focal as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.reference._focal import check_maps
from bev3d_ops.registered._library import register

__all__ = ["heatmap_focal_map", "heatmap_focal_sums"]

_KINDS = {torch.float32: cpu.FLOAT, torch.float64: cpu.FLOAT, torch.float16: cpu.HALF, torch.bfloat16: cpu.BFLOAT}


def _map_cpu(logits: Tensor, heatmap: Tensor, alpha: float, beta: float, slope: bool) -> tuple[Tensor, Tensor]:
    check_maps(logits, heatmap)
    x, y, kind = _arrays(logits, heatmap)
    loss, steep = cpu.focal_map(x, y, alpha, beta, kind=kind, slope=slope)
    return torch.from_numpy(loss).view(logits.shape), _shaped(steep, logits, slope)


def _sums_cpu(
    logits: Tensor, heatmap: Tensor, alpha: float, beta: float, groups: int, slope: bool
) -> tuple[Tensor, Tensor]:
    check_maps(logits, heatmap, groups)
    x, y, kind = _arrays(logits, heatmap)
    sums, steep = cpu.focal_sums(x, y, alpha, beta, groups, kind=kind, slope=slope)
    return torch.from_numpy(sums.astype(y.dtype)), _shaped(steep, logits, slope)


def _arrays(logits: Tensor, heatmap: Tensor) -> tuple[np.ndarray, np.ndarray, int]:
    """Flat arrays for the kernel, half precision as its bits, and what they are."""
    if logits.dtype not in _KINDS:
        raise TypeError(f"logits: expected one of {', '.join(map(str, _KINDS))}, got {logits.dtype}")
    x, kind = logits.detach(), _KINDS[logits.dtype]
    heatmap = heatmap.detach().to(_real(logits.dtype)).contiguous().view(-1)
    x = x.contiguous().view(-1)
    return (x.numpy() if kind == cpu.FLOAT else x.view(torch.int16).numpy().view(np.uint16)), heatmap.numpy(), kind


def _shaped(steep: np.ndarray, logits: Tensor, slope: bool) -> Tensor:
    return torch.from_numpy(steep).view(logits.shape) if slope else torch.from_numpy(steep)


def _real(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _map_fake(logits: Tensor, heatmap: Tensor, alpha: float, beta: float, slope: bool) -> tuple[Tensor, Tensor]:
    loss = logits.new_empty(logits.shape, dtype=_real(logits.dtype))
    return loss, loss.new_empty(logits.shape if slope else 0)


def _sums_fake(
    logits: Tensor, heatmap: Tensor, alpha: float, beta: float, groups: int, slope: bool
) -> tuple[Tensor, Tensor]:
    sums = logits.new_empty(groups, dtype=_real(logits.dtype))
    return sums, sums.new_empty(logits.shape if slope else 0)


def _keep_slope(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    logits, slope = inputs[0], output[1]
    ctx.mark_non_differentiable(slope)
    ctx.dtype, ctx.has_slope = logits.dtype, inputs[-1]
    ctx.save_for_backward(slope)


def _map_backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None, None]:
    return (_slope(ctx) * grad).to(ctx.dtype), None, None, None, None


def _sums_backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None, None, None]:
    slope = _slope(ctx)
    product = slope * grad[0] if len(grad) == 1 else (slope.view(len(grad), -1) * grad[:, None]).view(slope.shape)
    return product.to(ctx.dtype), None, None, None, None, None


def _slope(ctx: Any) -> Tensor:
    if not ctx.has_slope:
        raise RuntimeError("heatmap focal loss: a gradient is asked of a call with slope=False")
    slope: Tensor = ctx.saved_tensors[0]
    return slope


heatmap_focal_map = register(
    "heatmap_focal_map(Tensor logits, Tensor heatmap, float alpha, float beta, bool slope) -> (Tensor, Tensor)",
    cpu=_map_cpu,
    cuda=partial(cuda.focal_map, cuda_launch),
    fake=_map_fake,
    setup=_keep_slope,
    backward=_map_backward,
)
"""Loss and, where wanted, its slope by the logits, of their shape; float32 for half precision.

logits, heatmap: one shape, contiguous or not; no gradient flows into the heatmap.
"""

heatmap_focal_sums = register(
    "heatmap_focal_sums(Tensor logits, Tensor heatmap, float alpha, float beta, SymInt groups, bool slope)"
    " -> (Tensor, Tensor)",
    cpu=_sums_cpu,
    cuda=partial(cuda.focal_sums, cuda_launch),
    fake=_sums_fake,
    setup=_keep_slope,
    backward=_sums_backward,
)
"""As the map, with the loss summed over each of ``groups`` equal parts of the first dimensions: (groups,)."""
