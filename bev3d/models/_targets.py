"""What the loss of a configuration compares the network's outputs with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Tensor

from bev3d.config import Config
from bev3d.models._anchor_targets import AnchorTargetMaker, AnchorTargets
from bev3d.targets import Targets, targets_from_config

__all__ = ["DetectionTargets", "MakeTargets", "make_targets"]

DetectionTargets: TypeAlias = Targets | AnchorTargets
"""Of centre heads, or of the anchor head; both have ``to(device)``."""

MakeTargets: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor]], DetectionTargets]


def make_targets(config: Config) -> MakeTargets:
    """Function from ragged boxes (N, 7 or 9) and labels (N,) of a batch to the targets of ``DetectionLoss``."""
    return AnchorTargetMaker(config) if config.head == "anchor" else targets_from_config(config)
