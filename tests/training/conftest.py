"""The small run that the tests of training share."""

from __future__ import annotations

import pytest
from training_worlds import BlockWorld, make_config

from bev3d.config import Config


@pytest.fixture
def small_config() -> Config:
    """See :func:`training_worlds.make_config`."""
    return make_config()


@pytest.fixture
def world(small_config: Config) -> BlockWorld:
    """Six samples."""
    return BlockWorld(small_config)
