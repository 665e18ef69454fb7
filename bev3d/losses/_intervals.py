"""Intervals on a line: what two of them share and span, and centre offsets in a box's frame."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["in_frame", "interval_overlap"]


def interval_overlap(length: Tensor, other_length: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Signed length shared, and length spanned, of one interval about ``offset`` and another about 0.

    Shared is minus the gap where they are apart. Where ends meet, the gradient is the mean of both sides', so that
    equal intervals are at rest in the quotient of the two.

    Args:
        length, other_length, offset: (...), lengths not negative.
    """
    upper, other_upper = offset + length / 2, other_length / 2
    lower, other_lower = offset - length / 2, -other_length / 2
    shared = torch.minimum(upper, other_upper) - torch.maximum(lower, other_lower)
    spanned = torch.maximum(upper, other_upper) - torch.minimum(lower, other_lower)
    return shared, spanned


def in_frame(offset: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Components along a heading, across it to the left, and up, of vectors (..., 3)."""
    x, y, z = offset.unbind(-1)
    return yaw.cos() * x + yaw.sin() * y, yaw.cos() * y - yaw.sin() * x, z
