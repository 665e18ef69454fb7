"""Configurations so small that a network runs in milliseconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bev3d.config import Config


@pytest.fixture
def tiny_config() -> Config:
    """A grid of 16 x 16 output cells of 0.5 m and two tasks."""
    return Config(
        dataset="nuscenes",
        tasks=(("car", "truck"), ("pedestrian",)),
        range_m=(-4.0, -4.0, -3.0, 4.0, 4.0, 1.0),
        voxel_size_m=(0.25, 0.25, 4.0),
        channels=(8, 8),
        blocks=(1, 1),
        lateral_channels=8,
        head_channels=8,
    )


@pytest.fixture
def pillar_config(tiny_config: Config) -> Config:
    """The same with learned pillars, SECOND's backbone and CenterPoint's head."""
    return replace(
        tiny_config,
        encoder="pillars",
        pillar_channels=(8, 8),
        backbone="rpn",
        level_strides=(2, 2),
        upsample_strides=(1.0, 2.0),
        upsample_channels=(4, 4),
        head="separate",
        branch_channels=4,
    )


@pytest.fixture
def voxel_config(tiny_config: Config) -> Config:
    """The same with voxels of 0.25 x 0.25 x 0.5 m and three sparse stages."""
    return replace(
        tiny_config,
        encoder="voxels",
        voxel_size_m=(0.25, 0.25, 0.5),
        sparse_channels=(4, 6, 8),
        sparse_blocks=(1, 1, 1),
        sparse_strides=((2, 2, 2), (2, 1, 1)),
        sparse_paddings=((1, 1, 1), (1, 1, 1)),
        sparse_out_channels=6,
        sparse_backend="bev3d",
    )


@pytest.fixture
def anchor_config(tiny_config: Config) -> Config:
    """The same with the anchor head: 16 x 16 cells, three classes, two headings."""
    return replace(
        tiny_config,
        head="anchor",
        anchor_sizes_m=((2.0, 1.0, 1.0), (3.0, 1.5, 1.5), (0.6, 0.6, 1.7)),
        anchor_z_m=(-1.0, -0.8, -0.6),
        anchor_matched=(0.6, 0.6, 0.4),
        anchor_unmatched=(0.45, 0.45, 0.25),
        regression_weight=2.0,
        regression_loss="smooth_l1",
        max_objects=500,
    )


@pytest.fixture(params=["tiny_config", "pillar_config", "voxel_config", "anchor_config"])
def any_config(request: pytest.FixtureRequest) -> Config:
    """Each of them in turn."""
    config: Config = request.getfixturevalue(request.param)
    return config
