"""The inputs of the CPU's cases as tensors on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Contestant, peer

__all__ = ["fill_of", "on", "usual"]


def on(device: str, *arrays: np.ndarray, dtype: torch.dtype | None = torch.float32) -> list[Tensor]:
    """Tensors of arrays, in ``dtype`` where one is given."""
    return [torch.from_numpy(array).to(device=device, dtype=dtype) for array in arrays]


def fill_of(*shape: int, device: str, dtype: torch.dtype = torch.float32) -> Contestant:
    """A launch that stores as much as the answer holds, and the memory for it."""
    return peer(lambda: torch.empty(shape, device=device, dtype=dtype).fill_(0), read=lambda _: None)


def usual(device: str, contestants: dict[str, Any]) -> dict[str, Any]:
    """The usual kernels, which need a GPU."""
    return contestants if device == "cuda" else {}
