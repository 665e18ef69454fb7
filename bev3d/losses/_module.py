"""The one way from an unreduced loss function to a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from bev3d.losses._reduce import weighted_mean

__all__ = ["LossModule"]


class LossModule(nn.Module):
    """A loss function with its options, reduced.

    Args:
        function: ``function(pred, target, *more, **options)`` gives the unreduced map.
        options: what the function is called with.

    A loss that leaves entries out says in :meth:`count` how many are left.
    """

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        super().__init__()
        self.function, self.options = function, options

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor | None:
        """Entries that the mean is taken over, at least 1; None: all of the map."""
        return None

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        *more: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Sum of ``weight`` times the loss, over ``avg_factor``; where that is None, over the entries that count.

        Args:
            pred, target, more: as the function takes them.
            weight: broadcasts to the unreduced map; 0 leaves an entry out, even where its loss is not finite.
            avg_factor: such as the number of positives, at least 1.
        """
        if avg_factor is None:
            avg_factor = self.count(pred, target, *more)
        return weighted_mean(self.function(pred, target, *more, **self.options), weight, avg_factor)

    def extra_repr(self) -> str:
        """Shown by ``print(module)``."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())
