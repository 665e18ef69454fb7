"""What the loss of a configuration compares the network's outputs with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Tensor

from bev3d.config import Config
from bev3d.targets import Targets, targets_from_config

__all__ = ["MakeTargets", "make_targets"]

MakeTargets: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor]], Targets]


def make_targets(config: Config) -> MakeTargets:
    """Function from ragged boxes (N, 7 or 9) and labels (N,) of a batch to the targets of ``DetectionLoss``."""
    return targets_from_config(config)
