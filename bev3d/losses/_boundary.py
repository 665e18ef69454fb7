"""Boundaries of masks: distance maps, the loss integrated over them, weights between touching objects, Boundary IoU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_prediction, check_same_shape, in_float32
from bev3d.losses._known import check_positive
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d_ops.cpu._distance import squared_distance

__all__ = ["BoundaryLoss", "boundary_iou", "boundary_loss", "signed_distance_map", "unet_border_weights"]


def signed_distance_map(mask: Tensor, *, spacing: Sequence[float] = (1.0, 1.0)) -> Tensor:
    """Distance to the boundary of a mask: positive outside, negative inside (Kervadec et al., MIDL 2019, 1812.07032).

    Exact and Euclidean. Outside, the distance to the nearest cell of the mask; inside, minus the distance to the
    nearest cell outside plus one step, so that the boundary's own cells are 0, as in the authors' code.

    Args:
        mask: (..., H, W) bool; each (H, W) on its own.
        spacing: metres, or pixels, between rows and between columns.

    Returns:
        (..., H, W) float32 on the device of ``mask``, computed on the CPU; 0 throughout where a mask is empty or full.

    Raises:
        ValueError: fewer than two dimensions, spacing that is not two positive numbers.
        TypeError: a mask that is not bool.
    """
    _check_mask("mask", mask)
    if len(spacing) != 2 or not all(step > 0 for step in spacing):
        raise ValueError(f"spacing: expected two numbers above 0, got {tuple(spacing)}")
    flat = mask.detach().cpu().numpy().reshape(-1, *mask.shape[-2:])
    out = np.zeros(flat.shape, np.float32)
    for k, one in enumerate(flat):
        if one.any() and not one.all():
            outside, inside = squared_distance(one, tuple(spacing)), squared_distance(~one, tuple(spacing))
            out[k] = np.where(one, min(spacing) - np.sqrt(inside), np.sqrt(outside))
    return torch.from_numpy(out.reshape(mask.shape)).to(mask.device)


def boundary_loss(pred: Tensor, distance: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Boundary loss (Kervadec et al., MIDL 2019, 1812.07032, equation 5): p times the signed distance.

    Its integral is, up to a constant, the distance between the boundaries. It is negative where the prediction is
    right, and alone it rests at an empty prediction of an empty class: use it beside a loss of regions.

    Args:
        pred: (B, C, ...) logits; the softmax over C is taken, or the sigmoid where C is 1.
        distance: (B, C, ...) signed distance of each class, see :func:`signed_distance_map`, made in data loading.
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns:
        (B, C, ...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that differ, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    if pred.ndim < 2:
        raise ValueError(f"pred: expected shape (B, C, ...), got {tuple(pred.shape)}")
    check_same_shape("distance", distance, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    logits, away = in_float32(pred, distance)
    p = logits.sigmoid() if pred.shape[1] == 1 else logits.softmax(dim=1)
    return reduce_loss(p * away, reduction)


class BoundaryLoss(LossModule):
    """Mean of :func:`boundary_loss`."""

    def __init__(self) -> None:
        super().__init__(boundary_loss)


def unet_border_weights(instances: Tensor, *, w0: float = 10.0, sigma: float = 5.0) -> Tensor:
    """Weight of the background between touching objects (Ronneberger et al., U-Net, 1505.04597, equation 2).

        w0 exp(-(d1 + d2)² / (2 sigma²)),   d1, d2 the distances to the nearest and the second nearest object

    Args:
        instances: (H, W) integers, 0 background, else the object's number.
        w0: height of the ridge.
        sigma: its width, pixels.

    Returns:
        (H, W) float32 on the device of ``instances``: 0 on objects and where there are fewer than two. Add the class
        weights to it and weigh a cross entropy with the sum.

    Raises:
        ValueError: another number of dimensions, negative numbers, a sigma that is not positive.
        TypeError: instances that are not integers.
    """
    if instances.is_floating_point() or instances.dtype == torch.bool:
        raise TypeError(f"instances: expected integers, got {instances.dtype}")
    if instances.ndim != 2:
        raise ValueError(f"instances: expected shape (H, W), got {tuple(instances.shape)}")
    check_positive("sigma", sigma)
    labels = instances.detach().cpu().numpy()
    if labels.size and labels.min() < 0:
        raise ValueError(f"instances: expected numbers from 0, got {labels.min()}")
    first, second = (np.full(labels.shape, np.inf) for _ in range(2))
    for number in np.unique(labels[labels > 0]):
        distance = squared_distance(labels == number, (1.0, 1.0))
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    weight = w0 * np.exp(-((np.sqrt(first) + np.sqrt(second)) ** 2) / (2 * sigma**2))
    weight = np.where(labels == 0, weight, 0.0).astype(np.float32)
    return torch.from_numpy(weight).to(instances.device)


def boundary_iou(pred: Tensor, target: Tensor, *, dilation_ratio: float = 0.02) -> Tensor:
    """Boundary IoU (Cheng et al., CVPR 2021, 2103.16562): IoU of the parts of two masks near their own boundaries.

    A **metric**, not a loss: it is made of masks. Near is within d pixels, d = dilation_ratio of the image's
    diagonal, at least 1; the image's border is a boundary too.

    Args:
        pred, target: (..., H, W) bool.
        dilation_ratio: d over the diagonal; published 0.02.

    Returns:
        (...) float32 in [0, 1]; 1 where both masks are empty.

    Raises:
        ValueError: shapes that differ, a ratio that is not positive.
        TypeError: masks that are not bool.
    """
    _check_mask("pred", pred)
    _check_mask("target", target)
    check_same_shape("target", target, "pred", pred)
    check_positive("dilation_ratio", dilation_ratio)
    width = max(1, round(dilation_ratio * math.hypot(*pred.shape[-2:])))
    one, other = _boundary(pred, width), _boundary(target, width)
    both, either = (one & other).sum((-2, -1)), (one | other).sum((-2, -1))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _boundary(mask: Tensor, width: int) -> Tensor:
    """Cells of the mask from which a cell outside it, or the image's border, is within ``width`` steps of a king."""
    outside = functional.pad((~mask).float().reshape(-1, 1, *mask.shape[-2:]), (width,) * 4, value=1.0)
    near = functional.max_pool2d(outside, 2 * width + 1, stride=1) > 0
    return mask & near.reshape(mask.shape)


def _check_mask(name: str, mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(f"{name}: expected bool, got {mask.dtype}")
    if mask.ndim < 2:
        raise ValueError(f"{name}: expected shape (..., H, W), got {tuple(mask.shape)}")
