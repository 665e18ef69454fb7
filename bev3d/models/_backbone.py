"""The 2D network between the bird's-eye-view image and the heads."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Backbone", "conv_block"]


def conv_block(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the size changes by the stride alone."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Backbone(nn.Module):
    """Levels that halve the resolution, each brought to a common width, enlarged to the first and added up.

    A feature pyramid (Lin et al. 2017, arXiv 1612.03144) of which only the finest map is used. Adding costs a
    third less than stacking the levels as SECOND does (Yan et al. 2018), since what follows works at the finest
    resolution, and that is where the time goes.

    Args:
        in_channels: channels of the image.
        channels: channels of each level.
        blocks: 3 x 3 convolutions of each level after the one that lowers the resolution.
        lateral_channels: channels to which a level is brought before they are joined.
        stride: image cells per cell of the first level.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: Sequence[int],
        blocks: Sequence[int],
        lateral_channels: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.out_channels = lateral_channels
        self.levels, self.laterals = nn.ModuleList(), nn.ModuleList()
        width = in_channels
        for level, (outputs, count) in enumerate(zip(channels, blocks, strict=True)):
            step = stride if level == 0 else 2
            layers = [conv_block(width, outputs, stride=step)]
            layers += [conv_block(outputs, outputs) for _ in range(count)]
            self.levels.append(nn.Sequential(*layers))
            self.laterals.append(conv_block(outputs, lateral_channels, kernel=1))
            width = outputs

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, lateral_channels, H / stride, W / stride)."""
        features = self.levels[0](images)
        joined = self.laterals[0](features)
        for level, lateral in zip(self.levels[1:], self.laterals[1:], strict=True):
            features = level(features)
            joined = joined + functional.interpolate(lateral(features), size=joined.shape[-2:], mode="nearest")
        return joined
