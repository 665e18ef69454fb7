"""A loss made of named, weighted terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

__all__ = ["CompositeLoss", "CompositeResult", "Weight"]

Weight = float | Callable[[int], float]
"""A number, or a schedule: step -> number."""


class CompositeResult(NamedTuple):
    """Attributes:
    total: 0-dim, sum of weight * term, with its graph.
    terms: every term by name, detached and not weighted: ``name``, ``name/part`` for each part of a loss that
        returns a mapping, ``name/i`` for task i where the input was a list, ``name/i/part`` for both.
    weights: the weights of this step by the names of the losses.
    """

    total: Tensor
    terms: dict[str, Tensor]
    weights: Mapping[str, float | Tensor]


class CompositeLoss(nn.Module):
    """L = sum over names of weight * loss.

    Args:
        losses: name -> (loss, weight). A loss is a module or a function that returns a 0-dim tensor, or a mapping
            of them by name, which are added. A weight is a number or a schedule step -> number.

    Raises:
        ValueError: no losses, a name with a slash or dot, a weight that is not finite.
        TypeError: an entry that is not a pair of a callable and a weight.
    """

    def __init__(self, losses: Mapping[str, tuple[Callable[..., Any], Weight]]) -> None:
        super().__init__()
        if not losses:
            raise ValueError("losses: expected at least one named loss, got none")
        self.weights: dict[str, Weight] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, pair in losses.items():
            function, weight = _check_entry(name, pair)
            self.weights[name] = weight
            if isinstance(function, nn.Module):
                self.add_module(f"loss_{name}", function)
            self._functions[name] = function

    def forward(self, inputs: Mapping[str, Any], *, step: int = 0) -> CompositeResult:
        """Evaluate every loss on its own input.

        Args:
            inputs: name -> arguments of that loss: a tuple (positional) or a mapping (by keyword); or a **list** of
                those, one per task, whose terms are added.
            step: what schedules are given.

        Raises:
            ValueError: a name that is no loss or a loss without input, a term that is not 0-dim.
        """
        unknown, missing = sorted(inputs.keys() - self.weights.keys()), sorted(self.weights.keys() - inputs.keys())
        if unknown or missing:
            names = ", ".join(self.weights)
            raise ValueError(f"inputs: expected exactly {names}; unknown {unknown}, missing {missing}")
        total: Tensor | None = None
        terms: dict[str, Tensor] = {}
        weights = {name: self._weight(name, step) for name in self.weights}
        for name, weight in weights.items():
            parts = self._evaluate(name, inputs[name])
            terms.update({key: value.detach() for key, value in parts.items()})
            for value in parts.values():
                total = weight * value if total is None else total + weight * value
        if total is None:
            raise ValueError("inputs: expected at least one term, got empty lists or empty mappings only")
        return CompositeResult(total, terms, weights)

    def _weight(self, name: str, step: int) -> float:
        weight = self.weights[name]
        return _check_weight(name, weight(step)) if callable(weight) else weight

    def _evaluate(self, name: str, arguments: Any) -> dict[str, Tensor]:
        if not isinstance(arguments, list):
            return _parts(name, _call(name, self._functions[name], arguments))
        parts: dict[str, Tensor] = {}
        for i, task in enumerate(arguments):
            parts.update(_parts(f"{name}/{i}", _call(name, self._functions[name], task)))
        return parts


def _call(name: str, function: Callable[..., Any], arguments: Mapping[str, Any] | Sequence[Any]) -> Any:
    if isinstance(arguments, Mapping):
        return function(**arguments)
    if isinstance(arguments, tuple):
        return function(*arguments)
    raise TypeError(
        f"inputs[{name!r}]: expected a tuple or a mapping of arguments, or a list of them, "
        f"got {type(arguments).__name__}"
    )


def _parts(name: str, value: Any) -> dict[str, Tensor]:
    parts = {f"{name}/{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}
    for key, part in parts.items():
        if not isinstance(part, Tensor):
            raise TypeError(f"loss {key!r}: expected a tensor, got {type(part).__name__}")
        if part.ndim:
            raise ValueError(f"loss {key!r}: expected a reduced, 0-dim tensor, got shape {tuple(part.shape)}")
    return parts


def _check_entry(name: str, pair: Any) -> tuple[Callable[..., Any], Weight]:
    if not isinstance(name, str) or not name or "/" in name or "." in name:
        raise ValueError(f"losses: expected names without '/' and '.', got {name!r}")
    if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[0]):
        raise TypeError(f"losses[{name!r}]: expected a pair (loss, weight), got {pair!r}")
    function, weight = pair
    return function, weight if callable(weight) else _check_weight(name, weight)


def _check_weight(name: str, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise TypeError(f"losses[{name!r}]: expected a number or a schedule as weight, got {weight!r}")
    if not math.isfinite(weight):
        raise ValueError(f"losses[{name!r}]: expected a finite weight, got {weight}")
    return float(weight)
