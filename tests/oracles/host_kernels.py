"""The CUDA kernels run on the host: each unit compiled by g++, each kernel run by one thread.

The launcher has the signature of ``bev3d_ops.cuda._launch.Launch`` and takes CPU tensors, so that a test reaches
the kernel, its arguments and the Python code around it without a GPU.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch

from bev3d_ops.cuda._launch import Argument, pack_arguments
from bev3d_ops.cuda._source import scalar_name, source

COMPILER = shutil.which("g++") or shutil.which("clang++")
# contraction as on the device; exceptions and the sign of 0 as they are
FLAGS = (
    "-std=c++17",
    "-O2",
    "-march=native",
    "-ffp-contract=fast",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
)


def host_launch(
    kernel: str, dtype: torch.dtype, count: int, *args: Argument, block: int = 256, blocks: int = 0
) -> None:
    """Run the kernel to its end in this thread."""
    if count == 0:
        return
    unit, name = kernel.split(".")
    function = getattr(_library(unit, scalar_name(dtype)), name)
    packed, _ = pack_arguments(args)
    form = [ctypes.c_double if isinstance(value, float) else ctypes.c_longlong for value in args]
    values = [kind.from_buffer_copy(packed, 8 * i).value for i, kind in enumerate(form)]
    function.argtypes, function.restype = form, None
    function(*values)


@functools.cache
def _library(unit: str, scalar: str) -> ctypes.CDLL:
    if COMPILER is None:
        pytest.skip("no C++ compiler to run the CUDA kernels on the host")
    text = source(unit)
    key = hashlib.sha256("\0".join((text, scalar, *FLAGS)).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"bev3d-host-kernels-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    path = folder / f"{unit}-{scalar}-{key}.so"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        command = [COMPILER, *FLAGS, f"-DSCALAR={scalar}", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(part)]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"csrc/{unit}.cu with SCALAR={scalar}:\n{done.stderr}"
        os.replace(part, path)
    return ctypes.CDLL(str(path))
