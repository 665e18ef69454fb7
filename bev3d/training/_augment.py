"""The augmentation that a configuration asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.augment import (
    Augmentation,
    AugmentedScene,
    ObjectPaste,
    flip_scene,
    rotate_scene,
    scale_scene,
    settings_from_config,
)
from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training._samples import trainable

__all__ = ["TrainingAugmentation", "augment", "flip_scene", "rotate_scene", "scale_scene"]

Points = NDArray[np.float32]
Boxes = NDArray[np.float64]


def augment(points: Points, boxes: Boxes, config: Config, random: np.random.Generator) -> tuple[Points, Boxes]:
    """Flip, turn, scale and shift a scene as ``config.flip``, ``rotate_rad``, ``scale_range``, ``translate_std_m`` say.

    Args:
        points: (P, 5), see :class:`bev3d.data.Sample`; not changed in place.
        boxes: (N, 7 or 9); not changed in place.
        config: the amounts.
        random: source of the draws; the same state gives the same scene.
    """
    return Augmentation(settings_from_config(config)).move(points, boxes, random)


class TrainingAugmentation:
    """A sample as training sees it: with pasted objects, moved, thinned, and only the boxes to learn.

    Args:
        config: the amounts.
        paste: of :func:`bev3d.training.make_paste`.
        draws: samples that the whole run draws; in the last share ``config.paste_fade`` of its steps nothing is
            pasted (the "fade" of PointAugmenting, Wang et al. 2021, CVPR, and of CenterPoint's successors).
    """

    def __init__(self, config: Config, paste: ObjectPaste | None, draws: int) -> None:
        self.config = config
        settings = settings_from_config(config)
        self._whole, self._faded = Augmentation(settings, paste), Augmentation(settings)
        # whole steps, so that several processes fade as one with as many samples does
        self._per_step = config.batch_size * config.accumulate
        self._fades_at = (1 - config.paste_fade) * draws / self._per_step

    def __call__(self, sample: Sample, position: int, random: np.random.Generator) -> AugmentedScene:
        """The sample drawn at ``position`` of the run.

        Boxes that are not trained on keep pasted objects away and are left out of the result.
        """
        labels = np.where(trainable(sample, self.config), sample.labels, -1)
        steps = self._whole if position // self._per_step < self._fades_at else self._faded
        scene = steps(sample.points, sample.boxes, labels, random)
        keep = scene.labels >= 0
        return scene._replace(boxes=scene.boxes[keep], labels=scene.labels[keep])
