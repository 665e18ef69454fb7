"""What a registered operation takes: a kernel would read beyond the end of what does not fit."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["expect", "expect_below"]


def expect(
    name: str,
    value: Tensor,
    form: str,
    *shape: int | None,
    dtype: torch.dtype | None = None,
    beside: Tensor | None = None,
    wider: bool = False,
) -> None:
    """Raise unless ``value`` is such a tensor.

    Args:
        name: of the argument.
        value: what came.
        form: how the shape is written, such as ``(P, C)``.
        shape: sizes; None: any.
        dtype: None: any floating-point one.
        beside: a tensor whose device it has to share.
        wider: whether the last dimension may be larger.

    Raises:
        TypeError: another dtype.
        ValueError: another shape or device.
    """
    if value.dtype != dtype if dtype is not None else not value.is_floating_point():
        raise TypeError(f"{name}: expected {dtype or 'a floating-point dtype'}, got {value.dtype}")
    sizes = value.shape
    fits = len(sizes) == len(shape)
    if fits and wider:
        fits, sizes, shape = sizes[-1] >= (shape[-1] or 0), sizes[:-1], shape[:-1]
    if not fits or any(wanted is not None and size != wanted for size, wanted in zip(sizes, shape, strict=True)):
        raise ValueError(f"{name}: expected shape {form}, got {tuple(value.shape)}")
    if beside is not None and value.device != beside.device:
        raise ValueError(f"{name}: expected the device {beside.device}, got {value.device}")


def expect_below(name: str, value: Tensor, most: int) -> None:
    """Raise ValueError where ``value`` has more than ``most`` rows; under a compiler their number is not looked at."""
    count = value.shape[0]
    if isinstance(count, int) and count > most:
        raise ValueError(f"{name}: expected at most {most} rows, got {count}")
