"""Scenes for the tests of augmentation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bev3d.data import Sample

CLASSES = ("car", "truck", "pedestrian")
SIZES = np.array([[4.5, 1.9, 1.6], [9.0, 2.6, 3.2], [0.8, 0.7, 1.7]])
LAGS = (0.0, 0.05, 0.1, 0.15)


def random_boxes(count: int, rng: np.random.Generator, reach_m: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 9), every third without a velocity, and labels."""
    labels = rng.integers(0, len(CLASSES), count)
    boxes = np.empty((count, 9))
    boxes[:, :3] = rng.uniform(-1, 1, (count, 3)) * [reach_m, reach_m, 1]
    boxes[:, 3:6] = SIZES[labels] * rng.uniform(0.8, 1.2, (count, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, count)
    boxes[:, 7:] = rng.normal(0, 5, (count, 2))
    boxes[::3, 7:] = np.nan
    return boxes, labels


def points_around(boxes: np.ndarray, rng: np.random.Generator, each: int = 40, others: int = 400) -> np.ndarray:
    """(P, 5) float32: inside the boxes and just outside of them, off their faces by a hundredth, and anywhere."""
    parts = [rng.uniform(-60, 60, (others, 3)) * [1, 1, 0.05]]
    for box in boxes:
        place = rng.uniform(-0.99, 0.99, (each, 3))
        outside = rng.random(each) < 0.3
        axis = rng.integers(0, 3, each)
        place[outside, axis[outside]] = rng.choice([-1.02, 1.02, 1.5], outside.sum())
        along, across, up = (place * box[3:6] / 2).T
        c, s = np.cos(box[6]), np.sin(box[6])
        parts.append(np.stack([along * c - across * s, along * s + across * c, up], axis=1) + box[:3])
    xyz = np.concatenate(parts)
    rest = np.stack([rng.random(len(xyz)), rng.choice(LAGS, len(xyz))], axis=1)
    return np.concatenate([xyz, rest], axis=1).astype(np.float32)


class World:
    """A split of made-up scenes, the same at every reading."""

    class_names = CLASSES
    sweeps = len(LAGS)

    def __init__(self, count: int = 7, boxes: int = 9, on_read: Callable[[int], None] | None = None) -> None:
        self.tokens = [f"scene-{i}" for i in range(count)]
        self.boxes, self.on_read = boxes, on_read

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Sample:
        if self.on_read is not None:
            self.on_read(index)
        rng = np.random.default_rng([7, index])
        boxes, labels = random_boxes(self.boxes, rng)
        points = points_around(boxes, rng)
        labels[1::5] = -1
        names = tuple("animal" if label < 0 else CLASSES[label] for label in labels)
        meta = {"difficulty": rng.integers(-1, 3, self.boxes)}
        counts = np.full(self.boxes, -1)
        return Sample(self.tokens[index], points, boxes, labels, names, counts, CLASSES, meta)

    def annotations(self, index: int) -> Sample:
        raise AssertionError("a database needs the points")
