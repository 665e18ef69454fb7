"""One row of the table-driven test of the losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["HALVES", "LossCase"]

HALVES = (torch.float16, torch.bfloat16)
Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class LossCase:
    """A loss with what it must equal.

    Attributes:
        name: of the row: the function's name, with what makes the row another one.
        function: unreduced by default; called ``function(*inputs, **options)``.
        module: makes the module with the same options.
        inputs: positional arguments from a generator and a dtype: the prediction first; with the nasty but legal
            values that the loss must stand (ignored entries, NaN where it means unknown).
        reference: ``reference(*inputs)`` -> the unreduced map, written by others or from a closed form, in the
            dtype of what it is given.
        source: whose it is: "torch.nn.functional", "kornia", "monai", "closed form (mpmath)", ...
        options: keywords of the function.
        differentiable: positions with a gradient.
        smooth_inputs: inputs for gradcheck, away from kinks; ``inputs`` where None.
        logits: the prediction is logits: ±1e4 must give a finite loss and gradient, in half precision too.
        empty: inputs without any entry; None where there are none such. Default: the first 0 rows of each tensor.
        nothing_counts: inputs in which no entry counts (no positives, all ignored); the loss must be exactly 0 with
            its graph kept. None where the loss has no such input.
        optimum: inputs where the loss is at its minimum with gradient 0; None where there is none.
        has_module_weight: the module takes weight and avg_factor in the common way.
        tolerances: (relative, absolute) by dtype where 1e-6 and 1e-12 are not right, with the reason in the module.
        constant_weights: the gradient takes a weight as constant, on purpose: finite differences do not, and the
            family's own test has the oracle of the gradient.
        compiles: torch.compile(fullgraph=True) works; False needs a reason in the module.
    """

    name: str
    function: Callable[..., Tensor]
    module: Callable[[], nn.Module]
    inputs: Callable[[torch.Generator, torch.dtype], Arguments]
    reference: Callable[..., Tensor] | None
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    differentiable: tuple[int, ...] = (0,)
    smooth_inputs: Callable[[torch.Generator, torch.dtype], Arguments] | None = None
    logits: bool = False
    empty: Callable[[torch.dtype], Arguments | None] | None = None
    nothing_counts: Callable[[torch.Generator, torch.dtype], Arguments] | None = None
    optimum: Callable[[torch.Generator, torch.dtype], Arguments] | None = None
    minimum: float = 0.0
    has_module_weight: bool = True
    tolerances: dict[torch.dtype, tuple[float, float]] = field(default_factory=dict)
    constant_weights: bool = False
    compiles: bool = True

    def __str__(self) -> str:
        return self.name

    def __call__(self, *args: Any, **more: Any) -> Tensor:
        return self.function(*args, **self.options, **more)

    def arguments(self, dtype: torch.dtype, seed: int = 0) -> Arguments:
        return self.inputs(torch.Generator().manual_seed(seed), dtype)

    def tolerance(self, dtype: torch.dtype) -> dict[str, float]:
        default = {torch.float64: (1e-12, 1e-12)}.get(dtype, (1e-6, 1e-6))
        rtol, atol = self.tolerances.get(dtype, default)
        return {"rtol": rtol, "atol": atol}

    def without_entries(self, dtype: torch.dtype) -> Arguments | None:
        if self.empty is not None:
            return self.empty(dtype)
        return tuple(value[:0] if isinstance(value, Tensor) else value for value in self.arguments(dtype))
