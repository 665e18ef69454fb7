"""Launching a kernel on the stream that torch is using."""

from __future__ import annotations

import ctypes
import functools
import struct
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from bev3d_ops.cuda._compile import cubin
from bev3d_ops.cuda._source import scalar_name

__all__ = ["Argument", "Launch", "cuda_launch", "launch_shape", "pack_arguments"]

Argument = Tensor | int | float | None

BLOCK = 256
MOST_BLOCKS = 2**31 - 1


class Launch(Protocol):
    """Runs ``csrc/<unit>.cu``'s ``<name>`` for ``kernel = "unit.name"``, compiled for one scalar type."""

    def __call__(
        self, kernel: str, dtype: torch.dtype, count: int, *args: Argument, block: int = BLOCK, blocks: int = 0
    ) -> None:
        """Launch.

        Args:
            kernel: ``unit.name``.
            dtype: decides SCALAR.
            count: items that the kernel strides over; nothing is launched for 0.
            args: in the kernel's order: contiguous tensors on one device (or None for a null pointer), int for
                long long, float for double.
            block: threads of a block.
            blocks: blocks of the grid; 0: one thread for each item.
        """


def cuda_launch(
    kernel: str, dtype: torch.dtype, count: int, *args: Argument, block: int = BLOCK, blocks: int = 0
) -> None:
    """See :class:`Launch`. Returns before the kernel has run, as torch's own operations do; can be captured.

    Raises:
        RuntimeError: the driver's error.
        ImportError: cuda-bindings is missing.
    """
    if count == 0:
        return
    device = _device_of(kernel, args)
    with torch.cuda.device(device) if device != torch.cuda.current_device() else nullcontext():
        _bind_thread(device)
        _launch(kernel, scalar_name(dtype), launch_shape(count, block, blocks), block, device, args)


def _launch(kernel: str, scalar: str, grid: int, block: int, device: int, args: tuple[Argument, ...]) -> None:
    function = _function(kernel, scalar, device)
    packed, size = pack_arguments(args)
    storage = ctypes.create_string_buffer(packed, max(size, 1))
    first = ctypes.addressof(storage)
    pointers = (ctypes.c_void_p * len(args))(*range(first, first + size, 8))
    stream = _stream_of(device)
    (error,) = _driver().cuLaunchKernel(function, grid, 1, 1, block, 1, 1, 0, stream, ctypes.addressof(pointers), 0)
    if int(error) != 0:
        raise RuntimeError(f"{kernel}: launch of {grid} x {block} threads failed: {error!r}")


def _device_of(kernel: str, args: tuple[Argument, ...]) -> int:
    """Of all tensors: a kernel that reads memory of the host, or of another GPU, ends the process's use of this one."""
    found = {value.get_device() for value in args if isinstance(value, Tensor)}
    if len(found) != 1 or -1 in found:
        devices = sorted({str(value.device) for value in args if isinstance(value, Tensor)})
        raise ValueError(f"{kernel}: expected tensors on one GPU, got {', '.join(devices) or 'none'}")
    return found.pop()


# the number alone, which torch's own compiler asks for too: torch.cuda.current_stream builds an object around it
_raw_stream = getattr(torch._C, "_cuda_getCurrentRawStream", None)


def _stream_of(device: int) -> int:
    return _raw_stream(device) if _raw_stream is not None else torch.cuda.current_stream(device).cuda_stream


def _bind_thread(device: int) -> None:
    """Give this thread a context of the device where it has none: torch gives one to threads that it launches in."""
    driver = _driver()
    error, current = driver.cuCtxGetDevice()
    if int(error) == 0 and int(current) == device:
        return
    (error,) = driver.cuCtxSetCurrent(_context_of(device))
    _raise_for(error, "cuCtxSetCurrent")


@functools.cache
def _context_of(device: int) -> Any:
    """The one that torch uses; held for the life of the process."""
    error, context = _driver().cuDevicePrimaryCtxRetain(device)
    _raise_for(error, "cuDevicePrimaryCtxRetain")
    return context


def launch_shape(count: int, block: int, blocks: int) -> int:
    """Number of blocks."""
    return blocks or min((count + block - 1) // block, MOST_BLOCKS)


def pack_arguments(args: tuple[Argument, ...]) -> tuple[bytes, int]:
    """Eight bytes for each argument, and how many that is."""
    form: list[str] = []
    values: list[int | float] = []
    for value in args:
        if isinstance(value, Tensor):
            if not value.is_contiguous():
                raise ValueError(f"kernel argument: expected a contiguous tensor, got strides {value.stride()}")
            form.append("Q")
            values.append(value.data_ptr())
        elif value is None:
            form.append("Q")
            values.append(0)
        else:
            form.append("d" if isinstance(value, float) else "q")
            values.append(value)
    return struct.pack("=" + "".join(form), *values), 8 * len(args)


@functools.cache
def _driver() -> Any:
    try:
        from cuda.bindings import driver
    except ImportError as error:
        raise ImportError("CUDA tensors need cuda-bindings: pip install 'bev3d[cuda]'") from error
    return driver


@functools.cache
def _function(kernel: str, scalar: str, device: int) -> Any:
    """The loaded kernel; its library stays loaded for the life of the process."""
    unit, name = kernel.split(".")
    error, handle = _driver().cuLibraryGetKernel(_library(unit, scalar, device), name.encode())
    _raise_for(error, f"cuLibraryGetKernel({kernel})")
    error, function = _driver().cuKernelGetFunction(handle)
    _raise_for(error, f"cuKernelGetFunction({kernel})")
    return function


@functools.cache
def _library(unit: str, scalar: str, device: int) -> Any:
    major, minor = torch.cuda.get_device_capability(device)
    code = cubin(unit, scalar, 10 * major + minor)
    error, library = _driver().cuLibraryLoadData(code, [], [], 0, [], [], 0)
    _raise_for(error, f"cuLibraryLoadData({unit})")
    return library


def _raise_for(error: Any, call: str) -> None:
    if int(error) != 0:
        raise RuntimeError(f"{call}: {error!r}")
