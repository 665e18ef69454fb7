"""Gaussians on a heatmap."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from bev3d_ops.reference import _heatmap as reference
from bev3d_ops.registered._heatmap import splat_gaussians_

__all__ = ["draw_gaussians"]

Array = TypeVar("Array", np.ndarray, Tensor)


def draw_gaussians(heatmap: Array, cells_xy: Array, radii: Array, classes: Array) -> Array:
    """Draw one Gaussian per object, in place: the maximum of what is there and exp(-(dx² + dy²) / (2 sigma²)).

    sigma = (2 r + 1) / 6, cut off at |dx|, |dy| <= r, 1.0 exactly at the object's cell (CornerNet, Law and Deng
    2018, arXiv:1808.01244). Parts beyond the border are cut off; an object whose own cell lies outside the map
    draws nothing, since it is no object of this map.

    Args:
        heatmap: (C, H, W), floating point, changed in place; NumPy or torch, any strides and device.
        cells_xy: (N, 2) integers, column then row.
        radii: (N,) integers >= 0, cells.
        classes: (N,) integers in [0, C).

    Returns:
        ``heatmap`` itself.

    Raises:
        ValueError: shapes that do not fit, a negative radius, a class outside the map.
        TypeError: a heatmap that is not floating point, indices that are not integers.
    """
    target = _tensor("heatmap", heatmap)
    if not target.is_floating_point():
        raise TypeError(f"heatmap: expected a floating-point dtype, got {target.dtype}")
    if target.ndim != 3:
        raise ValueError(f"heatmap: expected shape (C, H, W), got {tuple(target.shape)}")
    cells, radius, label = _objects(target.shape[0], cells_xy, radii, classes)
    moved = (value.to(target.device) for value in (label, cells, radius))
    splat = splat_gaussians_ if target.device.type in ("cpu", "cuda") else reference.splat_gaussians_
    splat(target.detach(), *moved)
    return heatmap


def _objects(class_count: int, cells_xy: Array, radii: Array, classes: Array) -> tuple[Tensor, Tensor, Tensor]:
    named = {"cells_xy": cells_xy, "radii": radii, "classes": classes}
    values = {}
    for name, array in named.items():
        tensor = _tensor(name, array)
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
            raise TypeError(f"{name}: expected integers, got {tensor.dtype}")
        values[name] = tensor.detach().cpu().long().contiguous()
    count = len(values["radii"]) if values["radii"].ndim == 1 else -1
    for name, shape in (("radii", (count,)), ("cells_xy", (count, 2)), ("classes", (count,))):
        if tuple(values[name].shape) != shape:
            expected = "(N,)" if count < 0 else str(shape)
            raise ValueError(f"{name}: expected shape {expected}, got {tuple(values[name].shape)}")
    radius, label = values["radii"], values["classes"]
    if count and int(radius.min()) < 0:
        raise ValueError(f"radii: expected radii >= 0, got {int(radius.min())}")
    if count and (int(label.min()) < 0 or int(label.max()) >= class_count):
        raise ValueError(
            f"classes: expected indices in [0, {class_count}), got {int(label.min())} to {int(label.max())}"
        )
    return values["cells_xy"], radius, label


def _tensor(name: str, value: Array) -> Tensor:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Tensor):
        return value
    raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
