"""From samples to what a step needs, prepared in the background."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch

from bev3d.config import Config
from bev3d.data import Dataset, Sample
from bev3d.models import DetectionTargets, ModelInputs, make_inputs, make_targets
from bev3d.training._augment import augment
from bev3d.training._sampler import Sampler

__all__ = ["TrainingBatch", "TrainingBatches", "prefetch", "trainable"]

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """What a step needs.

    Attributes:
        inputs: what the network reads.
        targets: heatmaps and regression targets of the B samples.
        tokens: the samples, for messages.
    """

    inputs: ModelInputs
    targets: DetectionTargets
    tokens: tuple[str, ...]


class TrainingBatches:
    """Batches by step: the draws of the sampler, augmented, encoded and with their targets.

    Args:
        dataset: the training split.
        sampler: which sample comes when.
        config: grid, targets, augmentation, batch size.
    """

    def __init__(self, dataset: Dataset, sampler: Sampler, config: Config) -> None:
        self.dataset, self.sampler, self.config = dataset, sampler, config
        self.make_targets = make_targets(config)

    def __call__(self, step: int) -> TrainingBatch:
        """The batch of ``step``, which counts from 0."""
        size = self.config.batch_size
        clouds, boxes, labels, tokens = [], [], [], []
        for position in range(step * size, (step + 1) * size):
            sample = self.dataset[self.sampler.index(position)]
            keep = trainable(sample, self.config)
            points, kept = augment(sample.points, sample.boxes[keep], self.config, self.sampler.random(position))
            clouds.append(points)
            boxes.append(torch.from_numpy(kept))
            labels.append(torch.from_numpy(sample.labels[keep]))
            tokens.append(sample.token)
        targets = self.make_targets(boxes, labels)
        return TrainingBatch(make_inputs(clouds, self.config), targets, tuple(tokens))


def trainable(sample: Sample, config: Config) -> np.ndarray:
    """(N,) bool: boxes of a known class with enough points; an unknown number of points (-1) is enough."""
    enough = (sample.num_points < 0) | (sample.num_points >= config.min_points_per_box)
    return (sample.labels >= 0) & enough


def prefetch(make: Callable[[Key], Value], keys: Iterable[Key], *, ahead: int = 2) -> Iterator[Value]:
    """``make(key)`` for every key, in order, made by a thread that stays ``ahead`` values in front.

    A thread is enough, and costs no copies: reading files and the compiled kernels let go of Python's lock.
    An error in ``make`` is raised where its value would have come.
    """
    waiting = iter(keys)
    with ThreadPoolExecutor(1, thread_name_prefix="bev3d-prefetch") as pool:
        futures: deque[Future[Value]] = deque(pool.submit(make, key) for key in islice(waiting, ahead))
        try:
            while futures:
                value = futures.popleft().result()
                futures.extend(pool.submit(make, key) for key in islice(waiting, 1))
                yield value
        finally:
            for future in futures:
                future.cancel()
