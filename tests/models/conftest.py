"""A configuration so small that a network runs in milliseconds."""

from __future__ import annotations

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
