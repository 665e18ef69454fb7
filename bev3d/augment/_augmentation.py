"""All augmentations of a scene, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bev3d.augment._paste import Pasted
from bev3d.augment._points import drop_object_points, drop_points, shuffle_points
from bev3d.augment._scene import (
    Boxes,
    Points,
    check_scene,
    flip_matrix,
    rotation_matrix,
    scale_matrix,
    translation_matrix,
)
from bev3d.augment._settings import AugmentSettings
from bev3d.boxes import flip_boxes, scale_boxes, transform_boxes
from bev3d_ops.cpu._augment import move_points

__all__ = ["Augmentation", "AugmentedScene", "PasteInto"]

PasteInto = Callable[[Points, Boxes, NDArray[np.int64], np.random.Generator], Pasted]
"""What pastes objects into a scene, such as :class:`bev3d.augment.ObjectPaste`."""


class AugmentedScene(NamedTuple):
    """A scene after augmentation.

    Attributes:
        points: (P', C).
        boxes: (N + K, 7 or 9): those of the scene in their order, then K pasted ones.
        labels: (N + K,) int64.
        entries: (K,) int64, rows of the database that the pasted objects come from.
    """

    points: Points
    boxes: Boxes
    labels: NDArray[np.int64]
    entries: NDArray[np.int64]


class Augmentation:
    """Paste, flip, turn, scale, shift, drop and shuffle, in this order; each step only where it is asked for.

    The same state of the generator gives the same scene, and a step that is off draws nothing. Inputs stay as they
    are. The motions of the points are joined to one and computed in float64, whatever their number.

    Args:
        settings: the amounts.
        paste: puts objects of other scenes into this one first, so that they are moved with it.
    """

    def __init__(self, settings: AugmentSettings, paste: PasteInto | None = None) -> None:
        self.settings, self.paste = settings, paste

    def __call__(
        self, points: Points, boxes: Boxes, labels: NDArray[np.int64], random: np.random.Generator
    ) -> AugmentedScene:
        """Augment one scene.

        Args:
            points: (P, C), x, y, z in metres first; for a paste as :class:`bev3d.data.Sample` has them.
            boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`. A paste keeps clear of all of them: give those that are
                not trained on too, with label -1.
            labels: (N,) int64.
            random: source of the draws.
        """
        entries = np.empty(0, np.int64)
        if self.paste is not None:
            points, boxes, labels, entries = self.paste(points, boxes, labels, random)
        points, boxes = self.move(points, boxes, random)
        if self.settings.drop_fraction > 0:
            points = drop_points(points, random, self.settings.drop_fraction)
        if self.settings.object_drop_fraction > 0:
            points = drop_object_points(points, boxes, random, self.settings.object_drop_fraction)
        if self.settings.shuffle:
            points = shuffle_points(points, random)
        return AugmentedScene(points, boxes, labels, entries)

    def move(self, points: Points, boxes: Boxes, random: np.random.Generator) -> tuple[Points, Boxes]:
        """The flips, the turn, the scale and the shift alone; the very arrays given where all of them are off."""
        check_scene(points, boxes)
        matrix, settings = None, self.settings
        for axis in settings.flip_axes:
            if random.random() < 0.5:
                matrix, boxes = _after(matrix, flip_matrix(axis)), flip_boxes(boxes, axis)
        if settings.rotate_rad > 0:
            turn = rotation_matrix(float(random.uniform(-settings.rotate_rad, settings.rotate_rad)))
            matrix, boxes = _after(matrix, turn), transform_boxes(boxes, turn)
        if settings.scale_range > 0:
            factor = float(random.uniform(1 - settings.scale_range, 1 + settings.scale_range))
            matrix, boxes = _after(matrix, scale_matrix(factor)), scale_boxes(boxes, factor)
        if any(settings.translate_std_m):
            x, y, z = (random.standard_normal(3) * settings.translate_std_m).tolist()
            shift = translation_matrix((x, y, z))
            matrix, boxes = _after(matrix, shift), transform_boxes(boxes, shift)
        return (points if matrix is None else move_points(points, matrix)), boxes


def _after(first: NDArray[np.float64] | None, then: NDArray[np.float64]) -> NDArray[np.float64]:
    return then if first is None else then @ first
