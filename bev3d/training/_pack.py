"""Values with tensors as one block of memory, so that a process hands a batch over without a copy of each tensor."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch
from torch import Tensor

__all__ = ["Packed", "pack", "unpack"]

_ALIGNMENT = 64  # bytes: a cache line, and enough for every dtype
Packed = tuple[bytes, Tensor]
Place = tuple[int, torch.dtype, tuple[int, ...], tuple[int, ...]]  # byte offset, dtype, shape, strides


def pack(value: Any) -> Packed:
    """``value`` without its tensors, and these as one uint8 tensor in shared memory.

    A tensor costs a process one open file to hand over, and a batch has dozens of them; the block is one.
    """
    tensors: list[Tensor] = []
    places: list[Place] = []
    used = 0
    stream = io.BytesIO()

    class Packer(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Place | None:
            nonlocal used
            if not isinstance(obj, Tensor):
                return None
            tensors.append(obj)
            places.append((used, obj.dtype, tuple(obj.shape), _strides(obj)))
            used += -(-obj.numel() * obj.element_size() // _ALIGNMENT) * _ALIGNMENT
            return places[-1]

    Packer(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    block = torch.empty(used, dtype=torch.uint8).share_memory_()
    for tensor, place in zip(tensors, places, strict=True):
        _view(block, place).copy_(tensor)
    return stream.getvalue(), block


def unpack(packed: Packed) -> Any:
    """What was packed; its tensors are views of the block."""
    data, block = packed

    class Unpacker(pickle.Unpickler):
        def persistent_load(self, pid: Place) -> Tensor:
            return _view(block, pid)

    return Unpacker(io.BytesIO(data)).load()


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """Those of the tensor where it fills its memory, in whatever order of dimensions; else those of rows."""
    expected, order = 1, sorted(range(tensor.ndim), key=lambda i: (tensor.stride(i), tensor.shape[i]))
    for i in order:
        if tensor.shape[i] != 1:
            if tensor.stride(i) != expected:
                return torch.empty(tensor.shape, device="meta").stride()
            expected *= tensor.shape[i]
    return tensor.stride()


def _view(block: Tensor, place: Place) -> Tensor:
    start, dtype, shape, strides = place
    count = 1
    for size in shape:
        count *= size
    flat = block[start : start + count * dtype.itemsize].view(dtype)
    return flat.as_strided(shape, strides) if count else torch.empty(shape, dtype=dtype)
