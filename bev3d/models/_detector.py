"""The detector: encoder, backbone and head of a configuration."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bev3d.config import Config
from bev3d.models._anchor_head import AnchorHead
from bev3d.models._anchor_targets import anchor_classes
from bev3d.models._backbone import Backbone
from bev3d.models._encoder import HeightSliceEncoder
from bev3d.models._inputs import ModelInputs
from bev3d.models._learned_encoder import build_learned_encoder
from bev3d.models._rpn import Rpn
from bev3d.models._separate_head import SeparateHead
from bev3d.models._shared_head import SharedHead, map_sizes
from bev3d.models._voxel_encoder import VoxelEncoder
from bev3d.models._voxel_pillars import PillarEncoder

__all__ = ["Detector", "build_detector"]

Encoder = HeightSliceEncoder | PillarEncoder | VoxelEncoder


class Detector(nn.Module):
    """CenterPoint (Yin et al. 2021, arXiv 2006.11275), PointPillars (Lang et al. 2019, arXiv 1812.05784) or SECOND
    (Yan et al. 2018), by its parts.

    Args:
        encoder: from the prepared tensors of a batch to an image.
        backbone: from the image to features.
        head: from the features to maps.
    """

    def __init__(self, encoder: Encoder, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.backbone, self.head = encoder, backbone, head

    def forward(self, inputs: ModelInputs) -> list[dict[str, Tensor]]:
        """Maps by name.

        Args:
            inputs: of :func:`bev3d.models.make_inputs`, on the detector's device.

        Returns:
            Centre heads: for each task ``heatmap`` (B, classes, H', W') logits and the maps ``offset`` (2), ``height``
            (1), ``log_size`` (3), ``heading`` (2: sin, cos), ``velocity`` (2; with ``velocity_head``) and ``iou`` (1:
            2 IoU - 1; with ``iou_head``), all (B, c, H', W'). Anchor head: see :class:`bev3d.models.AnchorHead`.
            float32 also under autocast.
        """
        return self.dense(self.encoder(inputs.tensors, inputs.batch_size))

    def dense(self, images: Tensor) -> list[dict[str, Tensor]]:
        """The part that is free of points: images (B, C, H, W) to maps."""
        maps: list[dict[str, Tensor]] = self.head(self.backbone(images))
        return maps


def build_detector(config: Config) -> Detector:
    """The detector of a configuration, with weights drawn from ``config.seed``; torch's own generator stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder: Encoder = (
            HeightSliceEncoder(config) if config.encoder == "height_slices" else build_learned_encoder(config)
        )
        backbone = _backbone(config, encoder.out_channels)
        head = _head(config, backbone.out_channels)
    # a third faster on a CPU than the default layout, and the encoders write it anyway
    for part in (backbone, head):
        part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
    return Detector(encoder, backbone, head)


def _backbone(config: Config, in_channels: int) -> Backbone | Rpn:
    if config.backbone == "rpn":
        return Rpn(
            in_channels,
            channels=config.channels,
            blocks=config.blocks,
            strides=config.level_strides,
            upsample_channels=config.upsample_channels,
            upsample=config.upsample_strides,
        )
    return Backbone(
        in_channels,
        channels=config.channels,
        blocks=config.blocks,
        lateral_channels=config.lateral_channels,
        stride=config.backbone_strides(config.stride)[0],
    )


def _head(config: Config, in_channels: int) -> nn.Module:
    if config.head == "anchor":
        return AnchorHead(
            in_channels,
            anchors=sum(each.count for each in anchor_classes(config)),
            classes=len(config.class_names),
            code=9 if config.velocity_head else 7,
            directions=config.direction_bins,
        )
    classes, sizes = [len(task) for task in config.tasks], map_sizes(config)
    if config.head == "separate":
        return SeparateHead(in_channels, config.head_channels, config.branch_channels, classes=classes, sizes=sizes)
    return SharedHead(in_channels, config.head_channels, classes=classes, sizes=sizes)
