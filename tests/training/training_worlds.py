"""A data set in memory, of boxes that are blocks of points, so that a run takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.data import Sample
from bev3d.targets import Targets

NAN = float("nan")


class BlockWorld:
    """Samples with a few boxes filled with points, on sparse ground."""

    def __init__(self, config: Config, samples: int = 6, *, objects: int = 2, ground: int = 200) -> None:
        self.class_names = config.class_names
        self.tokens: Sequence[str] = [f"block-{i}" for i in range(samples)]
        self.read: list[int] = []
        self._samples = [make_sample(token, config, i, objects, ground) for i, token in enumerate(self.tokens)]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Sample:
        self.read.append(index)
        return self._samples[index]

    def annotations(self, index: int) -> Sample:
        return replace(self._samples[index], points=np.zeros((0, 5), np.float32))


def make_sample(token: str, config: Config, seed: int, objects: int, ground: int) -> Sample:
    """One scene; an object's size tells its class."""
    random = np.random.default_rng(seed)
    boxes, labels, clouds = [], [], []
    for i in range(objects):
        label = int(random.integers(len(config.class_names)))
        size = np.array([1.6, 0.8, 0.8]) / (1 + label)
        centre = np.array([-2.0 + 4 * i / max(objects - 1, 1), random.uniform(-3, 3), -1.0])
        boxes.append([*centre, *size, random.uniform(-0.3, 0.3), 1.0, NAN])
        labels.append(label)
        inside = centre + (random.random((80, 3)) - 0.5) * size
        clouds.append(np.c_[inside, np.full(80, 0.8), np.zeros(80)])
    floor = random.uniform((-4, -4, -2.0, 0.1, 0), (4, 4, -1.9, 0.2, 0.2), (ground, 5))
    return Sample(
        token=token,
        points=np.concatenate([floor, *clouds]).astype(np.float32),
        boxes=np.array(boxes, np.float64).reshape(-1, 9),
        labels=np.array(labels, np.int64),
        names=tuple(config.class_names[label] for label in labels),
        num_points=np.full(objects, 80, np.int64),
        class_names=config.class_names,
    )


def make_config() -> Config:
    """A network of a few thousand parameters on 16 x 16 output cells of 0.5 m."""
    return Config(
        dataset="nuscenes",
        tasks=(("car", "truck"), ("pedestrian",)),
        range_m=(-4.0, -4.0, -3.0, 4.0, 4.0, 1.0),
        voxel_size_m=(0.25, 0.25, 4.0),
        height_slices=4,
        channels=(8, 8),
        blocks=(1, 1),
        lateral_channels=8,
        head_channels=8,
        max_objects=10,
        epochs=2.0,
        learning_rate=3e-3,
        precision="float32",
        flip=True,
        rotate_rad=0.1,
        scale_range=0.05,
        checkpoint_every_steps=2,
        log_every_steps=1,
    )


def with_anchors(config: Config) -> Config:
    """The same with an anchor head; an anchor has the size of its class's blocks."""
    sizes = tuple((1.6 / share, 0.8 / share, 0.8 / share) for share in (1, 2, 3))
    return replace(
        config,
        head="anchor",
        velocity_head=False,
        velocity_weight=0.0,
        anchor_sizes_m=sizes,
        anchor_z_m=(-1.0, -1.0, -1.0),
        anchor_matched=(0.3,),
        anchor_unmatched=(0.2,),
    )


def with_voxels(config: Config) -> Config:
    """The same with a small sparse network of bev3d's own."""
    return replace(
        config,
        encoder="voxels",
        voxel_size_m=(0.25, 0.25, 0.5),
        sparse_channels=(4, 8),
        sparse_blocks=(1, 1),
        sparse_strides=((2, 2, 2),),
        sparse_paddings=((1, 1, 1),),
        sparse_out_channels=8,
        sparse_backend="bev3d",
    )


def with_pillars(config: Config) -> Config:
    """The same with a learned pillar net."""
    return replace(config, encoder="pillars", pillar_channels=(8, 8))


def maps_of_targets(targets: Targets, config: Config) -> list[dict[str, Tensor]]:
    """The targets as a perfect centre head would answer: logits, and regression maps that are 0 without an object."""
    columns, rows = config.output_size
    outputs = []
    for task in targets.tasks:
        maps = {"heatmap": torch.logit(task.heatmap * 0.9, eps=1e-6)}
        for name, values in task.regression.items():
            flat = torch.zeros(len(values), values.shape[-1], rows * columns)
            for b, kept in enumerate(task.mask):
                flat[b, :, task.cell_index[b, kept]] = values[b, kept].T
            maps[name] = flat.unflatten(2, (rows, columns))
        outputs.append(maps)
    return outputs
