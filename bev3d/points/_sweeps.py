"""LiDAR sweeps moved to one frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bev3d_ops.reference._sweeps import transform_sweeps as plain_transform_sweeps
from bev3d_ops.registered._sweeps import transform_sweeps as registered_transform_sweeps

__all__ = ["transform_sweeps"]

Array = Any  # np.ndarray or torch.Tensor, and the same out as in


def transform_sweeps(
    points: Array,
    offsets: Array,
    transforms: Array,
    lags_s: Array,
    *,
    columns: int | None = None,
    half_width_m: float = 0.0,
    intensity_scale: float = 1.0,
) -> tuple[Array, Array]:
    """Points of several sweeps in one frame, each with its sweep's age, and which are not on the vehicle itself::

        x' = R_s x + t_s,        keep = |x| >= half_width_m or |y| >= half_width_m, in the sweep's own frame

    Shapes depend on shapes alone, so that a CUDA graph can capture the call; ``moved[keep]`` is the merged cloud.
    Positions are computed in float64 and rounded once. Compose poses in float64 too, before the call: in a global
    frame they are up to 1e5 m from the origin, where float32 knows centimetres.

    Args:
        points: (P, 3 or more) float32 or float64: x, y, z in metres, intensity, anything else.
        offsets: (S + 1,) int64 from 0 to P: points ``offsets[s]`` to ``offsets[s + 1]`` are of sweep s. It may end
            before P: a buffer with room to spare.
        transforms: (S, 4, 4) float64, rigid.
        lags_s: (S,) float64, seconds: becomes the last column.
        columns: how many of the points' columns stay, 3 at least; None: all.
        half_width_m: of the square about the sensor whose points are not kept, >= 0; 0 keeps all.
        intensity_scale: factor on the fourth column.

    Returns:
        (P, columns + 1) in the dtype of ``points`` and (P,) bool. Points of no sweep are 0 and not kept. Gradients
        flow to the points (the rotation transposed), to nothing else, and once.

    Raises:
        ValueError: shapes, devices or ranges; offsets that do not rise from 0 to at most P (not checked on CUDA,
            which would have to wait); transforms or lags that require a gradient.
        TypeError: another dtype, or arrays and tensors mixed.
    """
    given = {"points": points, "offsets": offsets, "transforms": transforms, "lags_s": lags_s}
    kind = torch.Tensor if isinstance(points, torch.Tensor) else np.ndarray
    for name, value in given.items():
        if not isinstance(value, kind):
            raise TypeError(f"{name}: expected {kind.__name__}, as points, got {type(value).__name__}")
    if not half_width_m >= 0:
        raise ValueError(f"half_width_m: expected a number >= 0, got {half_width_m}")
    columns = points.shape[-1] if columns is None else columns
    options = columns, float(half_width_m), float(intensity_scale)
    if not isinstance(points, torch.Tensor):
        tensors = (torch.from_numpy(np.require(value, None, ["C", "W"])) for value in given.values())
        moved, keep = registered_transform_sweeps(*tensors, *options)
        return moved.numpy(), keep.numpy()
    for name in ("offsets", "transforms", "lags_s"):
        if given[name].requires_grad:
            raise ValueError(f"{name}: expected no requires_grad, since gradients flow to points only")
    run = registered_transform_sweeps if points.device.type in ("cpu", "cuda") else plain_transform_sweeps
    moved, keep = run(points, offsets, transforms, lags_s, *options)
    return moved, keep
