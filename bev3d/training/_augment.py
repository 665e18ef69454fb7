"""The augmentation that a configuration asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.augment import Augmentation, flip_scene, rotate_scene, scale_scene, settings_from_config
from bev3d.config import Config

__all__ = ["augment", "flip_scene", "rotate_scene", "scale_scene"]

Points = NDArray[np.float32]
Boxes = NDArray[np.float64]


def augment(points: Points, boxes: Boxes, config: Config, random: np.random.Generator) -> tuple[Points, Boxes]:
    """Flip, turn and scale a scene as ``config.flip``, ``rotate_rad`` and ``scale_range`` say.

    Args:
        points: (P, 5), see :class:`bev3d.data.Sample`; not changed in place.
        boxes: (N, 7 or 9); not changed in place.
        config: the amounts.
        random: source of the draws; the same state gives the same scene.
    """
    return Augmentation(settings_from_config(config)).move(points, boxes, random)
