"""The light centre head: tasks share all but their last layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from bev3d.config import Config
from bev3d.models._backbone import conv_block
from bev3d.targets._record import REGRESSION_SIZES

__all__ = ["HEATMAP_BIAS", "SharedHead", "map_sizes"]

HEATMAP_BIAS = -2.19  # sigmoid is 0.1: the first steps are not spent on pushing the empty cells down


def map_sizes(config: Config) -> dict[str, int]:
    """Channels of the maps beside the heatmap, by name."""
    sizes = {name: size for name, size in REGRESSION_SIZES.items() if name != "velocity" or config.velocity_head}
    return sizes | ({"iou": 1} if config.iou_head else {})


class TaskHead(nn.Module):
    """Heatmap and regression maps of one task, by 1 x 1 convolutions over the shared layers."""

    def __init__(self, in_channels: int, classes: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.heatmap = nn.Conv2d(in_channels, classes, 1)
        self.regression = nn.Conv2d(in_channels, sum(sizes.values()), 1)
        nn.init.constant_(self.heatmap.bias, HEATMAP_BIAS)  # type: ignore[arg-type]  # None only without bias

    def forward(self, peaks: Tensor, shape: Tensor) -> dict[str, Tensor]:
        """Maps by name, float32 also under autocast, since targets and losses are."""
        parts = self.regression(shape).float().split(list(self.sizes.values()), dim=1)
        return {"heatmap": self.heatmap(peaks).float(), **dict(zip(self.sizes, parts, strict=True))}


class SharedHead(nn.Module):
    """Centre head (Yin et al. 2021, arXiv 2006.11275) of a size that a CPU can train.

    The tasks share one 3 x 3 layer, and one 3 x 3 layer each for heatmaps and regression; a task has 1 x 1
    convolutions of its own. (A separate 3 x 3 head for each of six tasks costs 2.3 times as much.)

    Args:
        in_channels: channels of the backbone.
        channels: of the shared layers.
        classes: number of classes of each task.
        sizes: channels of the maps beside the heatmap, by name.
    """

    def __init__(self, in_channels: int, channels: int, *, classes: Sequence[int], sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.shared = conv_block(in_channels, channels)
        self.peaks = conv_block(channels, channels)
        self.shape = conv_block(channels, channels)
        self.tasks = nn.ModuleList(TaskHead(channels, count, sizes) for count in classes)

    def forward(self, features: Tensor) -> list[dict[str, Tensor]]:
        """Maps (B, c, H', W') of every task by name."""
        shared = self.shared(features)
        peaks, shape = self.peaks(shared), self.shape(shared)
        return [task(peaks, shape) for task in self.tasks]
