"""SECOND's 2D backbone: levels that are enlarged and stacked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Rpn"]

# of every published configuration: slow statistics, since a GPU holds few samples
EPSILON, MOMENTUM = 1e-3, 0.01


class Rpn(nn.Module):
    """Levels of 3 x 3 convolutions, each brought to the resolution of the output, stacked as channels.

    The region proposal network of VoxelNet and SECOND (Yan, Mao, Li 2018, Sensors 18(10) 3337), the backbone of
    PointPillars (Lang et al. 2019, arXiv 1812.05784) and CenterPoint (Yin et al. 2021, arXiv 2006.11275). Level i is
    a 3 x 3 convolution of stride ``strides[i]`` and ``blocks[i]`` more, all without a bias, with batch norm and ReLU.
    It is enlarged by a transposed convolution whose kernel is its stride, or by a strided one where ``upsample`` is
    below 1. With ``upsample`` 1 either has a kernel of 1 and the same number of weights.

    Args:
        in_channels: channels of the image.
        channels: channels of each level.
        blocks: further convolutions of each level.
        strides: by how much each level lowers the resolution.
        upsample_channels: channels of each enlarged level.
        upsample: by how much each is enlarged.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: Sequence[int],
        blocks: Sequence[int],
        strides: Sequence[int],
        upsample_channels: Sequence[int],
        upsample: Sequence[float],
    ) -> None:
        super().__init__()
        self.out_channels = sum(upsample_channels)
        self.levels, self.enlarged = nn.ModuleList(), nn.ModuleList()
        width = in_channels
        for outputs, count, stride, up_outputs, up in zip(
            channels, blocks, strides, upsample_channels, upsample, strict=True
        ):
            layers = _normed(nn.Conv2d(width, outputs, 3, stride, padding=1, bias=False))
            for _ in range(count):
                layers += _normed(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False))
            self.levels.append(nn.Sequential(*layers))
            self.enlarged.append(nn.Sequential(*_normed(_resize(outputs, up_outputs, up))))
            width = outputs

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, sum of upsample_channels, H', W')."""
        features, stacked = images, []
        for level, enlarged in zip(self.levels, self.enlarged, strict=True):
            features = level(features)
            stacked.append(enlarged(features))
        return torch.cat(stacked, dim=1)


def _resize(inputs: int, outputs: int, factor: float) -> nn.Conv2d | nn.ConvTranspose2d:
    """Convolution that enlarges by ``factor``, or lowers the resolution where it is at most 1."""
    if factor > 1:
        size = round(factor)
        return nn.ConvTranspose2d(inputs, outputs, size, size, bias=False)
    size = round(1 / factor)
    return nn.Conv2d(inputs, outputs, size, size, bias=False)


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels, EPSILON, MOMENTUM), nn.ReLU(inplace=True)]
