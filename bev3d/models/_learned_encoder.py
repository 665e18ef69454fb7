"""The learned encoders that a configuration describes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bev3d.config import Config
from bev3d.models._sparse_resnet import SparseResNetSettings
from bev3d.models._voxel_clouds import VoxelCaps
from bev3d.models._voxel_encoder import VoxelEncoder
from bev3d.models._voxel_pillars import PillarEncoder

__all__ = ["build_learned_encoder", "prepare_clouds"]


def build_learned_encoder(config: Config) -> PillarEncoder | VoxelEncoder:
    """Pillar net, or voxels and sparse backbone, with weights from torch's generator."""
    encoder = _build(config)
    for layer in encoder.modules():
        if isinstance(layer, _BatchNorm):
            layer.momentum = config.encoder_norm_momentum
    return encoder


def _build(config: Config) -> PillarEncoder | VoxelEncoder:
    caps = None
    if config.voxelization == "hard":
        caps = VoxelCaps(config.max_points_per_voxel, config.max_voxels_train, config.max_voxels_eval)
    if config.encoder == "pillars":
        return PillarEncoder(
            config.range_m,
            config.voxel_size_m[:2],
            caps=caps,
            filters=config.pillar_channels,
            height_offset=config.pillar_height_offset,
        )
    settings = SparseResNetSettings(
        channels=config.sparse_channels,
        blocks=config.sparse_blocks,
        strides=config.sparse_strides,
        paddings=config.sparse_paddings,
        out_channels=config.sparse_out_channels,
        block_bias=config.sparse_block_bias,
    )
    return VoxelEncoder(
        config.range_m, config.voxel_size_m, caps=caps, settings=settings, backend=config.sparse_backend
    )


def prepare_clouds(clouds: Sequence[NDArray[np.float32]], config: Config, *, training: bool) -> dict[str, Tensor]:
    """The tensors that the learned encoder of ``config`` reads, on the CPU."""
    # only its sizes are asked for: on this device nothing is allocated and nothing drawn
    with torch.device("meta"):
        encoder = build_learned_encoder(config)
    return encoder.prepare(clouds, training=training)
