"""Half precision where it pays: on processors with instructions for it bfloat16 is 1.7 times faster, else slower."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import torch

__all__ = ["Precision", "half_precision", "has_bfloat16", "make_scaler", "resolve_precision"]

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

NATIVE_FLAGS = {"avx512_bf16", "amx_bf16"}
CPU = torch.device("cpu")


def resolve_precision(precision: Precision, device: torch.device = CPU) -> torch.dtype:
    """The type in which convolutions and matrix products run.

    Args:
        precision: ``auto`` takes bfloat16 where the device multiplies it itself, else float32; never float16.
        device: where the network runs.
    """
    if precision == "auto":
        native = torch.cuda.is_bf16_supported() if device.type == "cuda" else has_bfloat16()
        return torch.bfloat16 if native else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


def half_precision(precision: Precision, device: torch.device = CPU) -> torch.autocast:
    """Context in which convolutions run in half precision, or nothing changes.

    Weights, batch norm statistics and losses stay float32. bfloat16 has the range of float32, so that gradients
    need no scaling; float16 has not: see :func:`make_scaler`.
    """
    dtype = resolve_precision(precision, device)
    half = dtype if dtype != torch.float32 else torch.bfloat16  # a type is wanted also where it is turned off
    return torch.autocast(device.type, half, enabled=dtype != torch.float32)


def make_scaler(precision: Precision, device: torch.device = CPU) -> torch.amp.GradScaler:
    """Scales the loss in float16, so that small gradients do not vanish, and skips steps that overflow.

    Micikevicius et al., "Mixed precision training", ICLR 2018, arXiv 1710.03740. Does nothing in other precisions.
    """
    return torch.amp.GradScaler(device.type, enabled=resolve_precision(precision, device) == torch.float16)


@cache
def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself, by Linux's list of its features; False elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not NATIVE_FLAGS.isdisjoint(flags.split())
