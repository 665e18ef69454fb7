"""The detector: a pillar CenterPoint."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bev3d.config import Config
from bev3d.models._backbone import Backbone, conv_block
from bev3d.models._encoder import encoder_channels
from bev3d.models._inputs import ModelInputs
from bev3d.targets._record import REGRESSION_SIZES

__all__ = ["Detector", "build_detector"]

HEATMAP_BIAS = -2.19  # sigmoid is 0.1: the first steps are not spent on pushing the empty cells down


class TaskHead(nn.Module):
    """Heatmap and regression maps of one task, by 1 x 1 convolutions over the shared layers."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.heatmap = nn.Conv2d(in_channels, classes, 1)
        self.regression = nn.Conv2d(in_channels, sum(REGRESSION_SIZES.values()), 1)
        nn.init.constant_(self.heatmap.bias, HEATMAP_BIAS)  # type: ignore[arg-type]  # None only without bias

    def forward(self, peaks: Tensor, shape: Tensor) -> dict[str, Tensor]:
        """Maps by name, float32 also under autocast, since targets and losses are."""
        parts = self.regression(shape).float().split(list(REGRESSION_SIZES.values()), dim=1)
        maps = dict(zip(REGRESSION_SIZES, parts, strict=True))
        return {"heatmap": self.heatmap(peaks).float(), **maps}


class Detector(nn.Module):
    """Pillar CenterPoint (Yin et al. 2021, arXiv 2006.11275) of a size that a CPU can train.

    The tasks share the trunk, one 3 x 3 layer, and one 3 x 3 layer each for heatmaps and regression; a task has
    1 x 1 convolutions of its own. (A separate 3 x 3 head for each of six tasks costs 2.3 times as much.)

    Args:
        in_channels: channels of the image.
        classes: number of classes of each task.
        channels, blocks, lateral_channels, stride: see :class:`Backbone`.
        head_channels: channels of the shared layers.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        classes: Sequence[int],
        channels: Sequence[int],
        blocks: Sequence[int],
        lateral_channels: int,
        head_channels: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(
            in_channels, channels=channels, blocks=blocks, lateral_channels=lateral_channels, stride=stride
        )
        self.shared = conv_block(self.backbone.out_channels, head_channels)
        self.peaks = conv_block(head_channels, head_channels)
        self.shape = conv_block(head_channels, head_channels)
        self.tasks = nn.ModuleList(TaskHead(head_channels, count) for count in classes)

    def forward(self, inputs: ModelInputs) -> list[dict[str, Tensor]]:
        """Maps of every task.

        Args:
            inputs: of :func:`bev3d.models.make_inputs`.

        Returns:
            For each task ``heatmap`` (B, classes, H', W') logits and the regression maps ``offset`` (2),
            ``height`` (1), ``log_size`` (3), ``heading`` (2: sin, cos), ``velocity`` (2), all (B, c, H', W').
        """
        shared = self.shared(self.backbone(inputs.tensors["images"]))
        peaks, shape = self.peaks(shared), self.shape(shared)
        return [task(peaks, shape) for task in self.tasks]


def build_detector(config: Config) -> Detector:
    """The detector of a configuration, with weights drawn from ``config.seed``; torch's own generator stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        detector = Detector(
            encoder_channels(config),
            classes=[len(task) for task in config.tasks],
            channels=config.channels,
            blocks=config.blocks,
            lateral_channels=config.lateral_channels,
            head_channels=config.head_channels,
            stride=config.stride,
        )
    # a third faster on a CPU than the default layout, and the encoder writes it anyway
    return detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
