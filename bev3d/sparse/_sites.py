"""Whether sites are distinct and inside their grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bev3d_ops.cpu._rulebook import sorted_sites

__all__ = ["check_on_device", "check_sites"]


def check_sites(coordinates: Tensor, limits: tuple[int, int, int, int]) -> None:
    """Raise unless the sites are distinct and inside ``limits``; a GPU is waited for once.

    Args:
        coordinates: (V, 4) int32 or int64 batch, z, y, x.
        limits: B, D, H, W, each below 2^31.

    Raises:
        ValueError: naming a row at fault, on a GPU their number.
    """
    if max(limits) >= 2**31:
        raise ValueError(f"spatial_shape: expected sizes below 2**31, got {limits[1:]}")
    if coordinates.device.type == "cpu":
        sorted_sites(np.ascontiguousarray(coordinates.numpy(), dtype=np.int64), limits, limits)
    else:
        check_on_device(coordinates, limits)


def check_on_device(coordinates: Tensor, limits: tuple[int, int, int, int]) -> None:
    """The same of a tensor on any device, waiting once."""
    if limits[0] * limits[1] * limits[2] * limits[3] >= 2**62:
        raise ValueError(f"spatial_shape: expected fewer than 2**62 cells in a batch, got {limits}")
    outside = ((coordinates < 0) | (coordinates >= coordinates.new_tensor(limits))).any(dim=1).sum()
    batch, z, y, x = coordinates.long().unbind(1)
    keys = (((batch * limits[1] + z) * limits[2] + y) * limits[3] + x).sort().values
    wrong, repeated = torch.stack([outside, (keys[1:] == keys[:-1]).sum()]).tolist()
    if wrong:
        raise ValueError(
            f"coordinates: expected 0 <= (batch, z, y, x) < {limits}, got {wrong} of {len(coordinates)} rows outside"
        )
    if repeated:
        raise ValueError(f"coordinates: expected each site once, got {repeated} repeated")
