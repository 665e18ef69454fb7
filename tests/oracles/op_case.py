"""One row of the table-driven test of the operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["FLOATS", "HALVES", "OpCase", "tolerance"]

FLOATS = (torch.float32, torch.float64)
HALVES = (torch.float16, torch.bfloat16)

Inputs = Callable[[torch.Generator, torch.dtype], tuple[Any, ...]]


@dataclass(frozen=True)
class OpCase:
    """An operation with what it must equal.

    Attributes:
        name: of the row.
        op: the registered operation; called with ``inputs``.
        reference: plain torch with the same arguments; None where the test of the operation itself has the oracle.
        host: the Python side of the CUDA kernel, called with a launcher before the arguments; None where there is none.
        inputs: arguments on the CPU from a generator and a dtype; floating-point tensors at ``differentiable``
            positions get requires_grad in the gradient tests. Called again for every test.
        differentiable: positions of the arguments that have a gradient.
        dtypes: that the operation knows.
        tolerances: (relative, absolute) by dtype where :func:`tolerance` is not right.
        static: the shape of the result follows from the shapes of the arguments alone: it can be captured in a CUDA
            graph.
        opcheck: names of torch.library.opcheck's tests that are not run, each with the reason, in the module.
    """

    name: str
    op: Callable[..., Any]
    inputs: Inputs
    reference: Callable[..., Any] | None = None
    host: Callable[..., Any] | None = None
    differentiable: tuple[int, ...] = ()
    dtypes: tuple[torch.dtype, ...] = FLOATS
    tolerances: dict[torch.dtype, tuple[float, float]] = field(default_factory=dict)
    static: bool = True
    opcheck_without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def arguments(self, dtype: torch.dtype, seed: int = 0) -> tuple[Any, ...]:
        return self.inputs(torch.Generator().manual_seed(seed), dtype)

    def tolerance(self, dtype: torch.dtype) -> dict[str, float]:
        rtol, atol = self.tolerances.get(dtype, tolerance(dtype))
        return {"rtol": rtol, "atol": atol}


def tolerance(dtype: torch.dtype) -> tuple[float, float]:
    """A few units in the last place."""
    eps = torch.finfo(dtype).eps if dtype.is_floating_point else 0.0
    return 16 * eps, 16 * eps


def tensors(result: Any) -> list[Tensor]:
    """The tensors of a result, which is one or a tuple of them."""
    return [result] if isinstance(result, Tensor) else [value for value in result if isinstance(value, Tensor)]
