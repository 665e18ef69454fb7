"""Which code runs a sparse convolution: bev3d's own or spconv's."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from types import ModuleType
from typing import Literal

import torch

from bev3d._check import check_choice
from bev3d._errors import require

__all__ = ["Backend", "SparseBackend", "import_spconv", "resolve_backend"]

Backend = Literal["auto", "bev3d", "spconv"]
"""What one may ask for."""

SparseBackend = Literal["bev3d", "spconv"]
"""What runs."""

_BACKENDS = ("auto", "bev3d", "spconv")
_SPCONV_CUDA_DTYPES = (torch.float32, torch.float16)


def resolve_backend(backend: Backend, device: torch.device, dtype: torch.dtype = torch.float32) -> SparseBackend:
    """The backend that runs for tensors of a device and dtype.

    ``auto`` is spconv on a GPU where it is installed and has kernels for the dtype (float32, float16), and bev3d
    everywhere else: on the CPU bev3d is faster, complete and the same in every run.

    Args:
        backend: ``auto``, ``bev3d`` or ``spconv``; the latter two are taken at their word.
        device: of the features.
        dtype: of the features.

    Raises:
        ValueError: another name.
        TypeError: spconv asked for on a GPU with a dtype that it has no kernels for.
        MissingPackageError: spconv asked for and not installed.
    """
    check_choice("backend", backend, _BACKENDS)
    supported = device.type != "cuda" or dtype in _SPCONV_CUDA_DTYPES
    if backend == "spconv":
        if not supported:
            raise TypeError(f"features: expected float32 or float16 for backend 'spconv' on a GPU, got {dtype}")
        import_spconv()
        return "spconv"
    if backend == "auto" and device.type == "cuda" and supported and importlib.util.find_spec("spconv") is not None:
        return "spconv"
    return "bev3d"


def import_spconv() -> ModuleType:
    """``spconv.pytorch``, which takes seconds to import the first time.

    Raises:
        MissingPackageError: it is not installed, or does not load.
    """
    if "spconv.pytorch" in sys.modules:
        return sys.modules["spconv.pytorch"]
    with warnings.catch_warnings():
        # names that torch and Python have renamed: nothing that a user can mend
        warnings.filterwarnings("ignore", r".*torch\.cuda\.amp\.custom_(fwd|bwd)", FutureWarning)
        warnings.filterwarnings("ignore", r".*locale\.getdefaultlocale", DeprecationWarning)
        return require("spconv.pytorch", extra="spconv", purpose="backend 'spconv' of sparse convolution")
