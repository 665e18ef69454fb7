"""Shapes and types that the kernels of sparse convolution rely on; values are not read, so no device is waited for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["check_conv", "check_pairs", "check_pool_grad", "check_weight_grad"]


def check_pairs(pair_in: Tensor, pair_out: Tensor, offsets: Tensor) -> None:
    """Raise unless the pairs are two int32 lists of one length and the offsets an int64 list that is not empty."""
    for name, value, dtype in (
        ("pair_in", pair_in, torch.int32),
        ("pair_out", pair_out, torch.int32),
        ("offsets", offsets, torch.int64),
    ):
        if value.dtype != dtype:
            raise TypeError(f"{name}: expected dtype {dtype}, got {value.dtype}")
        if value.ndim != 1:
            raise ValueError(f"{name}: expected one dimension, got shape {tuple(value.shape)}")
    _check_device("pair_out", pair_out, "pair_in", pair_in)
    _check_device("offsets", offsets, "pair_in", pair_in)
    if len(pair_in) != len(pair_out):
        raise ValueError(f"pair_out: expected the length of pair_in, {len(pair_in)}, got {len(pair_out)}")
    if len(offsets) < 1:
        raise ValueError("offsets: expected K + 1 numbers, got none")


def check_conv(
    features: Tensor, weight: Tensor, bias: Tensor | None, pair_in: Tensor, pair_out: Tensor, offsets: Tensor
) -> None:
    """Raise unless features (V, C_in), weight (C_out, kD, kH, kW, C_in) and bias (C_out,) fit together."""
    check_pairs(pair_in, pair_out, offsets)
    _check_rows("features", features)
    _check_device("pair_in", pair_in, "features", features)
    _check_device("weight", weight, "features", features)
    if weight.ndim != 5 or weight.shape[4] != features.shape[1] or math.prod(weight.shape[1:4]) != len(offsets) - 1:
        raise ValueError(
            f"weight: expected shape (C_out, kD, kH, kW, {features.shape[1]}) with {len(offsets) - 1} offsets, "
            f"got {tuple(weight.shape)}"
        )
    _check_dtype("weight", weight, features)
    if bias is not None:
        _check_dtype("bias", bias, features)
        _check_device("bias", bias, "features", features)
        if tuple(bias.shape) != (weight.shape[0],):
            raise ValueError(f"bias: expected shape ({weight.shape[0]},), got {tuple(bias.shape)}")


def check_weight_grad(
    features: Tensor, grad: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, kernel_size: Sequence[int]
) -> None:
    """Raise unless features (V_in, C_in) and grad (V_out, C_out) are rows of one type for that many offsets."""
    check_pairs(pair_in, pair_out, offsets)
    _check_rows("features", features)
    _check_rows("grad", grad)
    _check_dtype("grad", grad, features)
    _check_device("grad", grad, "features", features)
    _check_device("pair_in", pair_in, "features", features)
    if math.prod(kernel_size) != len(offsets) - 1:
        raise ValueError(f"kernel_size: expected {len(offsets) - 1} offsets, got {tuple(kernel_size)}")


def check_pool_grad(grad: Tensor, winner: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor) -> None:
    """Raise unless ``winner`` has the shape of ``grad`` (V_out, C)."""
    check_pairs(pair_in, pair_out, offsets)
    _check_rows("grad", grad)
    _check_device("winner", winner, "grad", grad)
    _check_device("pair_in", pair_in, "grad", grad)
    if winner.dtype != torch.int32 or winner.shape != grad.shape:
        raise ValueError(
            f"winner: expected int32 of shape {tuple(grad.shape)}, got {winner.dtype} of {tuple(winner.shape)}"
        )


def _check_rows(name: str, value: Tensor) -> None:
    if value.ndim != 2:
        raise ValueError(f"{name}: expected shape (V, C), got {tuple(value.shape)}")
    if not value.dtype.is_floating_point:
        raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")


def _check_device(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    if value.device != other.device:
        raise ValueError(f"{name}: expected the device of {other_name} ({other.device}), got {value.device}")


def _check_dtype(name: str, value: Tensor, features: Tensor) -> None:
    if value.dtype != features.dtype:
        raise TypeError(f"{name}: expected the dtype of features, {features.dtype}, got {value.dtype}")
