"""Powers whose gradient is finite at 0."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["power"]


def power(base: Tensor, exponent: float) -> Tensor:
    """base^exponent of a magnitude; at 0 the gradient is 0, also where that of the power is infinite."""
    positive = base > 0
    powered = torch.where(positive, base, torch.ones_like(base)).pow(exponent)
    return torch.where(positive, powered, torch.full_like(base, 1.0 if exponent == 0 else 0.0))
