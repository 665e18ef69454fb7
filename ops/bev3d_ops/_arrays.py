"""Between tensors, NumPy arrays and what the compiled kernels take."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["Array", "kernel_arrays", "like"]

Array = Any  # np.ndarray or torch.Tensor, and the same out as in


def kernel_arrays(*values: Array) -> list[np.ndarray]:
    """Contiguous, writeable CPU arrays of one dtype, float32 or float64: each other kind would compile anew."""
    arrays = [_to_numpy(value) for value in values]
    dtype = np.float32 if all(array.dtype.itemsize <= 4 for array in arrays) else np.float64
    return [_required(array, dtype) for array in arrays]


def like(result: np.ndarray, value: Array) -> Array:
    """``result`` as a tensor on the device of ``value`` where that is a tensor, else as it is."""
    return torch.from_numpy(result).to(value.device) if isinstance(value, torch.Tensor) else result


def _required(array: np.ndarray, dtype: Any) -> np.ndarray:
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.writeable:  # a third of what np.require takes
        return array
    return np.require(array, dtype, ["C", "W"])


def _to_numpy(value: Array) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    return value.numpy() if value.dtype in (torch.float32, torch.float64) else value.float().numpy()
