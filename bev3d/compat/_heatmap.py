"""Heatmap and regression losses of CenterPoint, OpenPCDet and mmdet3d as they compute them."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d._check import check_choice

__all__ = [
    "centerpoint_fast_focal_loss",
    "centerpoint_reg_loss",
    "clamped_sigmoid",
    "mmdet3d_gaussian_focal_loss",
    "openpcdet_heatmap_focal_loss",
    "openpcdet_reg_loss",
]


def clamped_sigmoid(logits: Tensor, *, eps: float = 1e-4) -> Tensor:
    """sigmoid(x) clamped to [eps, 1 - eps], which all three put before their heatmap losses.

    Wrong: no gradient past |x| = 9.21, where a detector is most wrong; in half precision 1 - eps rounds to 1 and the
    loss is infinite or NaN. Use :func:`bev3d.losses.heatmap_focal_loss`, which takes logits.

    Args:
        logits: (...).
        eps: distance from 0 and 1.
    """
    return logits.sigmoid().clamp(eps, 1 - eps)


def openpcdet_heatmap_focal_loss(logits: Tensor, heatmap: Tensor) -> Tensor:
    """OpenPCDet's (and CenterNet's) heatmap focal loss: a sum over the number of cells that are 1.

    Wrong: the clamp of :func:`clamped_sigmoid`, and two objects in one cell count as one in the normaliser. Use
    :func:`bev3d.losses.heatmap_focal_loss` over :func:`bev3d.losses.num_pos`.

    Args:
        logits, heatmap: (B, C, H, W).

    Returns:
        0-dim; without any positive, the sum over the negatives.
    """
    p, positive = clamped_sigmoid(logits), heatmap.eq(1).to(logits.dtype)
    of_positives = (p.log() * (1 - p) ** 2 * positive).sum()
    of_negatives = ((1 - p).log() * p**2 * (1 - heatmap) ** 4 * heatmap.lt(1).to(logits.dtype)).sum()
    number = positive.sum()
    return torch.where(number > 0, -(of_positives + of_negatives) / number.clamp(min=1), -of_negatives)


def centerpoint_fast_focal_loss(
    logits: Tensor, heatmap: Tensor, cell_index: Tensor, class_index: Tensor, mask: Tensor
) -> Tensor:
    """CenterPoint's FastFocalLoss: positives gathered, over their number.

    Wrong: the clamp of :func:`clamped_sigmoid`. Use :func:`bev3d.losses.gathered_heatmap_focal_loss`.

    Args:
        logits, heatmap: (B, C, H, W).
        cell_index, class_index: (B, M) int64.
        mask: (B, M) bool.

    Returns:
        0-dim; without any positive, the sum over the negatives.
    """
    p, counts = clamped_sigmoid(logits), mask.to(logits.dtype)
    of_negatives = ((1 - p).log() * p**2 * (1 - heatmap) ** 4).sum()
    by_cell = p.flatten(2).transpose(1, 2)
    at_cells = by_cell.gather(1, cell_index[..., None].expand(-1, -1, p.shape[1]))
    q = at_cells.gather(2, class_index[..., None])[..., 0]
    of_positives = (q.log() * (1 - q) ** 2 * counts).sum()
    number = counts.sum()
    return torch.where(number > 0, -(of_positives + of_negatives) / number.clamp(min=1), -of_negatives)


def mmdet3d_gaussian_focal_loss(
    logits: Tensor, heatmap: Tensor, *, avg_factor: Tensor | float | None = None, reduction: str = "mean"
) -> Tensor:
    """mmdet3d's GaussianFocalLoss behind its clip_sigmoid.

    Wrong: the clamp of :func:`clamped_sigmoid`; the 1e-12 inside the logarithm is 0 in float16; the plain mean
    is over all cells. Use :func:`bev3d.losses.heatmap_focal_loss`.

    Args:
        logits, heatmap: (B, C, H, W).
        avg_factor: such as the number of positives; None: the mean over all cells.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    p, eps = clamped_sigmoid(logits), 1e-12
    of_positives = -(p + eps).log() * (1 - p) ** 2 * heatmap.eq(1)
    of_negatives = -(1 - p + eps).log() * p**2 * (1 - heatmap) ** 4
    loss = of_positives + of_negatives
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if avg_factor is None else loss.sum() / avg_factor


def centerpoint_reg_loss(maps: Tensor, target: Tensor, cell_index: Tensor, mask: Tensor) -> Tensor:
    """CenterPoint's RegLoss: L1 of each channel at the objects, over their number plus 1e-4.

    Wrong: a NaN velocity times a mask of 0 is NaN; the 1e-4 shrinks the loss of few objects; the weights are a vector
    by position. Use :func:`bev3d.losses.gather_regression_loss`.

    Args:
        maps: (B, D, H, W).
        target: (B, M, D).
        cell_index: (B, M) int64.
        mask: (B, M) bool.

    Returns:
        (D,).
    """
    counts = mask.to(maps.dtype)[..., None]
    error = (_at_cells(maps, cell_index) * counts - target * counts).abs()
    return (error / (counts.sum() + 1e-4)).sum(dim=(0, 1))


def openpcdet_reg_loss(maps: Tensor, target: Tensor, cell_index: Tensor, mask: Tensor) -> Tensor:
    """OpenPCDet's centre-head regression loss: L1 of each channel, over the number of objects, at least 1.

    Wrong: it looks for NaN and then multiplies by a mask, so that the NaN stays; its published weight vectors put the
    velocity's 0.2 on sine and cosine. Use :func:`bev3d.losses.gather_regression_loss`. Arguments and result as
    :func:`centerpoint_reg_loss`.
    """
    counts = mask.to(maps.dtype)[..., None] * (~target.isnan()).to(maps.dtype)
    error = (_at_cells(maps, cell_index) * counts - target * counts).abs()
    return error.sum(dim=(0, 1)) / mask.sum().clamp(min=1)


def _at_cells(maps: Tensor, cell_index: Tensor) -> Tensor:
    """(B, D, H, W) at (B, M) -> (B, M, D)."""
    by_cell = maps.flatten(2).transpose(1, 2)
    return by_cell.gather(1, cell_index[..., None].expand(-1, -1, maps.shape[1]))
