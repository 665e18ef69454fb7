"""Heatmap focal loss and its slope on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch
from bev3d_ops.reference._focal import check_maps

__all__ = ["focal_map", "focal_sums"]

_CHUNK = 4096  # elements of a block: four rounds of 256 threads with four each


def focal_map(
    launch: Launch, logits: Tensor, heatmap: Tensor, alpha: float, beta: float, slope: bool
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.heatmap_focal_map`."""
    check_maps(logits, heatmap)
    logits, heatmap = _operands(logits, heatmap)
    loss, steep = torch.empty_like(heatmap), torch.empty_like(heatmap) if slope else heatmap.new_empty(0)
    out = loss, steep if slope else None
    launch(
        "focal.focal_map", logits.dtype, logits.numel(), logits, heatmap, *out, logits.numel(), float(alpha),
        float(beta), blocks=-(-logits.numel() // 1024),
    )  # fmt: skip
    return loss, steep


def focal_sums(
    launch: Launch, logits: Tensor, heatmap: Tensor, alpha: float, beta: float, groups: int, slope: bool
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.heatmap_focal_sums`."""
    check_maps(logits, heatmap, groups)
    logits, heatmap = _operands(logits, heatmap)
    steep = torch.empty_like(heatmap) if slope else heatmap.new_empty(0)
    in_group = logits.numel() // groups
    parts = -(-in_group // _CHUNK)
    if not in_group:
        return heatmap.new_zeros(groups), steep
    partial = heatmap.new_empty((groups, parts), dtype=torch.float64)
    launch(
        "focal.focal_partial", logits.dtype, partial.numel(), logits, heatmap, partial, steep if slope else None,
        groups, in_group, parts, _CHUNK, float(alpha), float(beta), blocks=min(partial.numel(), 2**31 - 1),
    )  # fmt: skip
    sums = heatmap.new_empty(groups)
    launch("focal.focal_finish", logits.dtype, groups, partial, sums, groups, parts, blocks=min(groups, 2**31 - 1))
    return sums, steep


def _operands(logits: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
    real = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return logits.contiguous(), heatmap.to(real).contiguous()
