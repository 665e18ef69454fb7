"""Settings: the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["ModelConfig"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network: an encoder that makes a bird's-eye-view image, a 2D backbone, a head."""

    encoder: Literal["height_slices", "pillars", "voxels"] = "height_slices"
    """What turns points into a bird's-eye-view image: fixed statistics, a learned pillar net, or the means of voxels
    and a sparse 3D backbone."""
    height_slices: int = 8
    """height_slices: slices of z in which a pillar counts its points."""
    pillar_channels: tuple[int, ...] = (64,)
    """pillars: channels of the layers that each point goes through."""
    pillar_height_offset: bool = False
    """pillars: whether the layers are told the height over the middle of the range too."""
    voxelization: Literal["dynamic", "hard"] = "dynamic"
    """pillars, voxels: all points and voxels, or at most so many."""
    max_points_per_voxel: int = 20
    """hard: points of a voxel beyond these are left out."""
    max_voxels_train: int = 30000
    """hard: voxels of a sample beyond these are left out in training."""
    max_voxels_eval: int = 60000
    """hard: the same in prediction."""
    sparse_channels: tuple[int, ...] = (16, 32, 64, 128)
    """voxels: channels of the sparse stages."""
    sparse_blocks: tuple[int, ...] = (2, 2, 2, 2)
    """voxels: residual blocks of each stage."""
    sparse_strides: tuple[tuple[int, int, int], ...] = ((2, 2, 2), (2, 2, 2), (2, 2, 2))
    """voxels: strides along z, y, x of the convolution into each stage after the first."""
    sparse_paddings: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (1, 1, 1), (0, 1, 1))
    """voxels: its paddings along z, y, x."""
    sparse_out_channels: int = 128
    """voxels: channels at each of the heights that are left at the end, where they become channels of the image."""
    sparse_block_bias: bool = False
    """voxels: biases in front of the batch norms of the residual blocks, which published checkpoints have."""
    sparse_backend: Literal["auto", "bev3d", "spconv"] = "auto"
    """voxels: whose sparse convolution; auto: spconv on a GPU where it is installed, else bev3d."""
    backbone: Literal["pyramid", "rpn"] = "pyramid"
    """2D backbone: levels that are added up, or SECOND's, whose enlarged levels are stacked."""
    channels: tuple[int, ...] = (32, 48, 64)
    """Channels of the backbone's levels."""
    blocks: tuple[int, ...] = (1, 1, 1)
    """3 x 3 convolutions a level, after the one that changes the resolution."""
    lateral_channels: int = 32
    """pyramid: channels to which each level is brought before they are joined."""
    level_strides: tuple[int, ...] = ()
    """rpn: by how much each level lowers the resolution. (pyramid: to the output cells, then 2 a level.)"""
    upsample_strides: tuple[float, ...] = ()
    """rpn: by how much each level is enlarged to the output cells; 0.5 halves it."""
    upsample_channels: tuple[int, ...] = ()
    """rpn: channels of each enlarged level."""
    head: Literal["shared", "separate", "anchor"] = "shared"
    """Centre head whose tasks share their layers (light), CenterPoint's with a branch for each map, or SECOND's
    anchors."""
    head_channels: int = 32
    """shared, separate: channels of the shared layer in front of the tasks."""
    branch_channels: int = 64
    """separate: channels of the hidden layer of a branch."""
    velocity_head: bool = True
    """Whether the head predicts velocities."""
    iou_head: bool = False
    """Centre heads: whether the overlap of each box with the truth is predicted too, see score_rectification."""

    @property
    def encoder_stride(self) -> int:
        """Input cells per cell of the image that the encoder makes."""
        return math.prod(strides[1] for strides in self.sparse_strides) if self.encoder == "voxels" else 1

    def backbone_strides(self, stride: int) -> tuple[int, ...]:
        """By how much each level of the backbone lowers the resolution, for so many input cells per output cell."""
        if self.backbone == "rpn":
            return self.level_strides
        return (stride // self.encoder_stride, *(2 for _ in self.channels[1:]))

    def deepest_stride(self, stride: int) -> int:
        """Input cells per cell of the backbone's last level."""
        return self.encoder_stride * math.prod(self.backbone_strides(stride))

    def check_model(self, stride: int) -> None:
        """Raise where the settings of the network cannot be, for so many input cells per output cell."""
        check_positive(self, "height_slices", "lateral_channels", "head_channels", "branch_channels")
        check_positive(self, "max_points_per_voxel", "max_voxels_train", "max_voxels_eval", "sparse_out_channels")
        _check_all_positive("pillar_channels", self.pillar_channels)
        if any(width % 2 for width in self.pillar_channels[:-1]):
            refuse("pillar_channels", "even numbers before the last", self.pillar_channels)
        self._check_sparse()
        _check_all_positive("channels", self.channels)
        self._check_as_many("blocks")
        if any(count < 0 for count in self.blocks):
            refuse("blocks", "numbers >= 0", self.blocks)
        if self.iou_head and self.head == "anchor":
            refuse("iou_head", "false with the anchor head", self.iou_head)
        if self.backbone == "rpn":
            self._check_rpn(stride)
        elif stride % self.encoder_stride:
            expected = f"a multiple of {self.encoder_stride}, the stride of the sparse backbone"
            refuse("stride", expected, stride)

    def _check_sparse(self) -> None:
        stages = len(self.sparse_channels)
        _check_all_positive("sparse_channels", self.sparse_channels)
        if len(self.sparse_blocks) != stages or any(count < 0 for count in self.sparse_blocks):
            refuse("sparse_blocks", f"{stages} numbers >= 0, as many as sparse_channels", self.sparse_blocks)
        for key, least in (("sparse_strides", 1), ("sparse_paddings", 0)):
            value = getattr(self, key)
            if len(value) != stages - 1 or any(number < least for three in value for number in three):
                refuse(key, f"{stages - 1} times z, y, x >= {least}, one between two sparse_channels", value)
        if any(y != x for _, y, x in self.sparse_strides):
            refuse("sparse_strides", "the same along y and x", self.sparse_strides)

    def _check_rpn(self, stride: int) -> None:
        for key in ("level_strides", "upsample_strides", "upsample_channels"):
            self._check_as_many(key)
            _check_all_positive(key, getattr(self, key))
        reached = self.encoder_stride
        for i, (down, up) in enumerate(zip(self.level_strides, self.upsample_strides, strict=True)):
            if min(abs(up - round(up)), abs(1 / up - round(1 / up))) > 1e-6:
                refuse("upsample_strides", "whole numbers, or one over whole numbers", self.upsample_strides)
            reached *= down
            if abs(reached / up - stride) > 1e-6:
                expected = f"level {i} at the stride of the output, {stride}"
                refuse("upsample_strides", expected, f"{reached} / {up:g} = {reached / up:g}")

    def _check_as_many(self, key: str) -> None:
        value: Sequence[float] = getattr(self, key)
        if len(value) != len(self.channels):
            refuse(key, f"as many entries as channels ({len(self.channels)})", value)


def _check_all_positive(key: str, values: Sequence[float]) -> None:
    if not values or any(not value > 0 for value in values):
        refuse(key, "at least one entry, all > 0", values)
