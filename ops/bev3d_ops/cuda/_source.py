"""The CUDA sources as one text, so that compiling needs no include path and a hash of it says what was compiled."""

from __future__ import annotations

import functools
import re
from pathlib import Path

__all__ = ["CSRC", "SCALARS", "scalar_name", "source", "units"]

import torch

CSRC = Path(__file__).resolve().parent.parent / "csrc"

SCALARS = {
    torch.float32: "float",
    torch.float64: "double",
    torch.float16: "half_t",
    torch.bfloat16: "bfloat_t",
}

_INCLUDE = re.compile(r'^#include "([^"]+)"\s*$', re.MULTILINE)
_PRAGMA_ONCE = re.compile(r"^#pragma once\s*$", re.MULTILINE)


def scalar_name(dtype: torch.dtype) -> str:
    """Name of a floating-point dtype in the kernels.

    Raises:
        TypeError: the kernels do not know it.
    """
    if dtype not in SCALARS:
        raise TypeError(f"dtype: expected one of {', '.join(map(str, SCALARS))}, got {dtype}")
    return SCALARS[dtype]


def units() -> list[str]:
    """Names of what is compiled on its own, such as ``gather`` for ``gather.cu``."""
    return sorted(path.stem for path in CSRC.glob("*.cu"))


@functools.cache
def source(unit: str) -> str:
    """The text of ``unit`` with its own headers in place of their include lines, each once."""
    return _expand(CSRC / f"{unit}.cu", set())


def _expand(path: Path, seen: set[str]) -> str:
    def include(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return ""
        seen.add(name)
        return _expand(CSRC / name, seen)

    return _INCLUDE.sub(include, _PRAGMA_ONCE.sub("", path.read_text(encoding="utf-8")))
