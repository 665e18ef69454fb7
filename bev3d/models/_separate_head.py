"""CenterPoint's head: a branch for each map of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from bev3d.models._shared_head import HEATMAP_BIAS

__all__ = ["SeparateHead"]


class SeparateHead(nn.Module):
    """Centre head as published (Yin, Zhou, Krähenbühl, CVPR 2021, arXiv 2006.11275).

    One shared 3 x 3 layer; then, for each task, a branch for the heatmap and one for each regression map: a 3 x 3
    convolution with batch norm and ReLU, and a 3 x 3 convolution. As published all of these convolutions have a bias,
    also those in front of a batch norm, which takes it out again: such biases have gradient 0 in training.

    Args:
        in_channels: channels of the backbone.
        channels: of the shared layer.
        branch_channels: of the hidden layer of a branch.
        classes: number of classes of each task.
        sizes: channels of the maps beside the heatmap, by name.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        branch_channels: int,
        *,
        classes: Sequence[int],
        sizes: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.shared = _hidden(in_channels, channels)
        self.tasks = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: nn.Sequential(
                        *_hidden(channels, branch_channels), nn.Conv2d(branch_channels, size, 3, padding=1)
                    )
                    for name, size in {"heatmap": count, **sizes}.items()
                }
            )
            for count in classes
        )
        self._initialise()

    def forward(self, features: Tensor) -> list[dict[str, Tensor]]:
        """Maps (B, c, H', W') of every task by name, float32 also under autocast, since targets and losses are."""
        shared = self.shared(features)
        return [{name: branch(shared).float() for name, branch in task.items()} for task in self._branches()]

    def _branches(self) -> list[dict[str, nn.Sequential]]:
        tasks: list[Any] = list(self.tasks)
        return [dict(task.items()) for task in tasks]

    def _initialise(self) -> None:
        for task in self._branches():
            for name, branch in task.items():
                if name == "heatmap":
                    nn.init.constant_(branch[-1].bias, HEATMAP_BIAS)  # type: ignore[arg-type]  # a convolution
                    continue
                for layer in branch:
                    if isinstance(layer, nn.Conv2d):
                        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # None only without bias


def _hidden(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
