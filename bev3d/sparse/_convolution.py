"""Convolution over a rulebook."""

from __future__ import annotations

from torch import Tensor

from bev3d._check import check_same_device
from bev3d.sparse._check import check_features
from bev3d.sparse._rulebook import Rulebook
from bev3d_ops.registered import _sparse as ops

__all__ = ["sparse_conv3d"]


def sparse_conv3d(features: Tensor, weight: Tensor, rulebook: Rulebook, bias: Tensor | None = None) -> Tensor:
    """out[o] = bias + sum over the offsets k and their pairs (i, o) of weight[:, k] features[i].

    One function for submanifold, strided, transposed and inverse convolution: the rulebook tells them apart. Equal to
    torch's conv3d, or conv_transpose3d with the weight's axes in its order, of the dense grid, read at the output's
    sites. On the CPU the sum of a row has one order whatever the number of threads.

    Args:
        features: (V_in, C_in), a row for each of ``rulebook.in_coordinates``; float32, float64, or a half, which is
            added up in float32.
        weight: (C_out, kD, kH, kW, C_in) of the same dtype: spconv's layout, so that its state dicts fit. For torch's
            conv3d it is weight.permute(0, 2, 3, 4, 1), for conv_transpose3d weight.permute(1, 2, 3, 4, 0).
        rulebook: of the sites.
        bias: (C_out,) or None. It is added at every output site.

    Returns:
        (V_out, C_out), a row for each of ``rulebook.out_coordinates``. Once differentiable in features, weight, bias.

    Raises:
        ValueError: shapes that do not fit together, different devices.
        TypeError: not floating-point tensors of one dtype.
    """
    check_features(features, rulebook.in_coordinates, "rulebook.in_coordinates")
    check_same_device("rulebook", rulebook.pair_in, "features", features)
    for name, value, dims in (("weight", weight, 5), ("bias", bias, 1)):
        if value is None:
            continue
        if not isinstance(value, Tensor) or value.dtype != features.dtype:
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"{name}: expected a tensor of dtype {features.dtype} as features, got {got}")
        if value.ndim != dims:
            raise ValueError(f"{name}: expected {dims} dimensions, got shape {tuple(value.shape)}")
        check_same_device(name, value, "features", features)
    expected = (weight.shape[0], *rulebook.kernel_size, features.shape[1])
    if tuple(weight.shape) != expected:
        raise ValueError(
            f"weight: expected shape (C_out, kD, kH, kW, C_in) = (C_out, {', '.join(map(str, expected[1:]))}), "
            f"got {tuple(weight.shape)}"
        )
    if bias is not None and len(bias) != len(weight):
        raise ValueError(f"bias: expected shape ({len(weight)},), got {tuple(bias.shape)}")
    result: Tensor = ops.sparse_conv(
        features,
        weight,
        bias,
        rulebook.pair_in,
        rulebook.pair_out,
        rulebook.offsets,
        rulebook.out_coordinates.shape[0],
    )
    return result
