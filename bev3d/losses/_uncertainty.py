"""Weights of the terms of a loss, learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from bev3d._check import check_choice
from bev3d.losses._composite import CompositeResult

__all__ = ["UncertaintyWeighting"]

Kind = Literal["regression", "classification"]


class UncertaintyWeighting(nn.Module):
    """Terms weighed by their learnt uncertainty (Kendall, Gal and Cipolla, CVPR 2018, 1705.07115).

        sum over terms of k e^-s L + s / 2,   k = 1/2 for a regression, 1 for a classification, s = log variance

    Without limits a term that reaches 0 would get an endless weight, and the whole would fall without end; so s is
    kept in [-10, 10] by clamping its value with the gradient of the bound.

    Args:
        kinds: name of each term -> ``"regression"`` or ``"classification"``; or names alone, all regressions.

    Attributes:
        log_variances: s of each term by name, parameters that begin at 0; give them to the optimiser.

    Raises:
        ValueError: no names, an unknown kind, a name with a dot.
    """

    LIMIT = 10.0

    def __init__(self, kinds: Mapping[str, Kind] | list[str] | tuple[str, ...]) -> None:
        super().__init__()
        named: dict[str, Kind] = dict(kinds) if isinstance(kinds, Mapping) else dict.fromkeys(kinds, "regression")
        if not named:
            raise ValueError("kinds: expected at least one term, got none")
        for name, kind in named.items():
            check_choice(f"kinds[{name!r}]", kind, ("regression", "classification"))
            if not name or "." in name:
                raise ValueError(f"kinds: expected names without dots, got {name!r}")
        self.kinds = named
        self.log_variances = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in named})

    def forward(self, terms: Mapping[str, Tensor]) -> CompositeResult:
        """Weigh and add 0-dim terms.

        Args:
            terms: every term by name.

        Returns:
            The total with its graph, the terms detached, and the weights as detached 0-dim tensors.

        Raises:
            ValueError: other names than the module's, a term that is not 0-dim.
        """
        unknown, missing = sorted(terms.keys() - self.kinds.keys()), sorted(self.kinds.keys() - terms.keys())
        if unknown or missing:
            raise ValueError(f"terms: expected exactly {', '.join(self.kinds)}; unknown {unknown}, missing {missing}")
        total: Tensor | None = None
        weights = {}
        for name, kind in self.kinds.items():
            if terms[name].ndim:
                raise ValueError(f"terms[{name!r}]: expected a 0-dim tensor, got shape {tuple(terms[name].shape)}")
            s = self.log_variances[name]
            s = s + (s.clamp(-self.LIMIT, self.LIMIT) - s).detach()
            weight = (0.5 if kind == "regression" else 1.0) * torch.exp(-s)
            weights[name] = weight.detach()
            part = weight * terms[name] + s / 2
            total = part if total is None else total + part
        assert total is not None  # there is at least one name
        return CompositeResult(total, {name: term.detach() for name, term in terms.items()}, weights)
