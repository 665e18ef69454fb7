"""Regression at the cells of objects, by the names of the components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d._check import check_choice, check_same_device
from bev3d.losses._reduce import Reduction, weighted_mean
from bev3d_ops.registered._gather import gather_cells

__all__ = ["GatherRegressionLoss", "RegressionLoss", "gather_regression_loss"]

RegressionLoss = Literal["l1", "smooth_l1"] | Callable[[Tensor, Tensor], Tensor]
SMOOTH_L1_BETA = 1 / 9  # as in LiDAR heads since SECOND


def gather_regression_loss(
    maps: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    cell_index: Tensor,
    mask: Tensor,
    *,
    weights: Mapping[str, float],
    loss: RegressionLoss = "l1",
    reduction: Reduction = "none",
) -> dict[str, Tensor]:
    """weight * loss(map at the object's cell, target), for each named component (CenterPoint, arXiv:2006.11275).

    A slot counts where ``mask`` is set; of it, the components whose target is not NaN. What does not count is
    replaced before any arithmetic and is exactly 0, with gradient 0.

    Args:
        maps: (B, components, H, W) by name.
        targets: (B, M, components) by name.
        cell_index: (B, M) int64, row * W + column; free slots may hold anything. On a GPU, where asking would make
            the host wait, a slot whose index lies outside the map does not count.
        mask: (B, M) bool.
        weights: by name; exactly these terms are computed, so that no weight can fall on another component. The
            published weights are 1 for offset, height, log_size and heading, 0.2 for velocity, with 0.25 (nuScenes)
            or 2 (Waymo) on their sum.
        loss: ``l1``, ``smooth_l1`` (beta 1/9) or a callable (prediction, target) -> element-wise loss.
        reduction: ``none``; ``sum``; ``mean`` over the elements that count (0 where none does). CenterPoint divides
            the sum by the number of objects instead: see ``avg_factor`` of the module.

    Returns:
        By name, (B, M, components) or 0-dim; float32 for half precision, in which nothing is computed.

    Raises:
        ValueError: a weight whose name has no map or no target, shapes that do not fit, an unknown loss, an index
            outside the map (CPU).
        TypeError: a mask that is not bool, an index that is not int64.
    """
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    elementwise = _elementwise(loss)
    _check(maps, targets, cell_index, mask, weights)
    terms = {}
    for name, weight in weights.items():
        prediction = _gather(maps[name], cell_index)
        target = targets[name].to(prediction.dtype)
        inside = _inside(cell_index, mask, maps[name].shape[2] * maps[name].shape[3])
        valid = inside[..., None] & ~torch.isnan(target)
        zero = torch.zeros((), dtype=prediction.dtype, device=prediction.device)
        term = elementwise(torch.where(valid, prediction, zero), torch.where(valid, target, zero))
        if term.shape != prediction.shape:
            expected = f"an element-wise loss of shape {tuple(prediction.shape)}"
            raise ValueError(f"loss: expected {expected} for {name!r}, got {tuple(term.shape)}")
        term = weight * torch.where(valid, term, zero)
        if reduction != "none":
            term = term.sum() if reduction == "sum" else term.sum() / valid.sum().clamp(min=1)
        terms[name] = term
    return terms


class GatherRegressionLoss(nn.Module):
    """:func:`gather_regression_loss`, reduced and summed over the names.

    Args:
        weights: by name.
        loss: see the function.
    """

    def __init__(self, weights: Mapping[str, float], *, loss: RegressionLoss = "l1") -> None:
        super().__init__()
        self.weights = dict(weights)
        self.loss = loss

    def forward(
        self,
        pred: Mapping[str, Tensor],
        target: Mapping[str, Tensor],
        *,
        cell_index: Tensor,
        mask: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> dict[str, Tensor]:
        """Terms by name, each 0-dim: mean over the elements that count, or sum over ``avg_factor``.

        Args:
            pred: maps by name.
            target: targets by name.
            cell_index, mask: see the function.
            weight: (B, M) weight of each object; where it is 0, the object does not count.
            avg_factor: positive normaliser, such as the number of objects.
        """
        if weight is not None:
            if weight.shape != mask.shape:
                raise ValueError(f"weight: expected shape {tuple(mask.shape)}, got {tuple(weight.shape)}")
            mask = mask & (weight != 0)
            weight = weight[..., None]
        terms = gather_regression_loss(pred, target, cell_index, mask, weights=self.weights, loss=self.loss)
        if avg_factor is not None:
            return {name: weighted_mean(term, weight, avg_factor) for name, term in terms.items()}
        counts = {name: (mask[..., None] & ~torch.isnan(target[name])).sum().clamp(min=1) for name in terms}
        return {name: weighted_mean(term, weight, counts[name]) for name, term in terms.items()}


def _gather(values: Tensor, cell_index: Tensor) -> Tensor:
    """(B, components, H, W) at (B, M) -> (B, M, components), at least float32."""
    picked: Tensor = gather_cells(values.flatten(2), cell_index)
    return picked.float() if picked.dtype in (torch.float16, torch.bfloat16) else picked


def _inside(cell_index: Tensor, mask: Tensor, cells: int) -> Tensor:
    """The slots that count and lie in the map; on the CPU, where asking is free, the others are an error."""
    inside = mask & (cell_index >= 0) & (cell_index < cells)
    if cell_index.device.type == "cpu" and not torch.compiler.is_compiling() and not torch.equal(inside, mask):
        wrong = cell_index[mask & ~inside][:5].tolist()
        raise ValueError(f"cell_index: expected row * W + column in [0, {cells}) where mask is set, got {wrong}")
    return inside


def _elementwise(loss: RegressionLoss) -> Callable[[Tensor, Tensor], Tensor]:
    if callable(loss):
        return loss
    check_choice("loss", loss, ("l1", "smooth_l1"))
    if loss == "l1":
        return lambda prediction, target: (prediction - target).abs()
    return lambda prediction, target: functional.smooth_l1_loss(
        prediction, target, reduction="none", beta=SMOOTH_L1_BETA
    )


def _check(
    maps: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    cell_index: Tensor,
    mask: Tensor,
    weights: Mapping[str, float],
) -> None:
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights: expected a mapping by name, got {type(weights).__name__}")
    for what, known in (("maps", maps), ("targets", targets)):
        unknown = [name for name in weights if name not in known]
        if unknown:
            raise ValueError(f"weights: expected names of {what} ({', '.join(known)}), got {', '.join(unknown)}")
    if cell_index.dtype != torch.int64:
        raise TypeError(f"cell_index: expected int64, got {cell_index.dtype}")
    if mask.dtype != torch.bool:
        raise TypeError(f"mask: expected bool, got {mask.dtype}")
    check_same_device("mask", mask, "cell_index", cell_index)
    if cell_index.ndim != 2 or mask.shape != cell_index.shape:
        raise ValueError(f"mask: expected (B, M) as cell_index, got {tuple(mask.shape)} and {tuple(cell_index.shape)}")
    for name in weights:
        check_same_device(f"maps[{name!r}]", maps[name], "cell_index", cell_index)
        check_same_device(f"targets[{name!r}]", targets[name], "cell_index", cell_index)
        if maps[name].ndim != 4 or maps[name].shape[0] != cell_index.shape[0]:
            got = tuple(maps[name].shape)
            raise ValueError(f"maps[{name!r}]: expected shape ({cell_index.shape[0]}, C, H, W), got {got}")
        if not maps[name].is_floating_point():
            raise TypeError(f"maps[{name!r}]: expected a floating-point dtype, got {maps[name].dtype}")
        shape, expected = tuple(targets[name].shape), (*cell_index.shape, maps[name].shape[1])
        if shape != expected:
            raise ValueError(f"targets[{name!r}]: expected shape {expected}, got {shape}")
