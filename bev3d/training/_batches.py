"""From samples to what a step needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from bev3d.augment import ObjectPaste
from bev3d.config import Config
from bev3d.data import Dataset
from bev3d.models import DetectionTargets, ModelInputs, make_inputs, make_targets
from bev3d.training._augment import TrainingAugmentation
from bev3d.training._paste import make_paste
from bev3d.training._prefetch import prefetch
from bev3d.training._sampler import Sampler
from bev3d.training._samples import balanced, trainable

__all__ = ["TrainingBatch", "TrainingBatches", "prefetch", "prepare_samples", "trainable"]


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


def prepare_samples(dataset: Dataset, config: Config, *, quiet: bool = False) -> tuple[Dataset, ObjectPaste | None]:
    """The samples that a pass draws, and what pastes objects into them.

    Args:
        dataset: the training split.
        config: ``class_balanced`` and the settings of pasting.
        quiet: say nothing of the objects.

    Raises:
        UserError: no objects to balance, a ``paste_database`` of other data, damaged files.
    """
    return balanced(dataset, config), make_paste(dataset, config, quiet=quiet)


class TrainingBatches:
    """Batches by step: the draws of the sampler, augmented, encoded and with their targets.

    A batch depends on seed and step alone, so that it can be made anywhere and at any time.

    Args:
        dataset: the samples of a pass.
        sampler: which sample comes when.
        config: grid, targets, augmentation, batch size.
        paste: both of :func:`prepare_samples`.
        draws: samples that the run takes of ``sampler``, which decide where pasting fades; those of ``config.epochs``
            where it is None.
    """

    def __init__(
        self,
        dataset: Dataset,
        sampler: Sampler,
        config: Config,
        paste: ObjectPaste | None = None,
        *,
        draws: int | None = None,
    ) -> None:
        self.dataset, self.sampler, self.config = dataset, sampler, config
        self.make_targets = make_targets(config)
        if draws is None:
            draws = sampler.steps(config.epochs, config.batch_size) * config.batch_size
        self.augment = TrainingAugmentation(config, paste, draws)

    def __call__(self, step: int) -> TrainingBatch:
        """The batch of ``step``, which counts from 0."""
        size = self.config.batch_size
        clouds, boxes, labels, tokens = [], [], [], []
        for position in range(step * size, (step + 1) * size):
            sample = self.dataset[self.sampler.index(position)]
            scene = self.augment(sample, position, self.sampler.random(position))
            clouds.append(scene.points)
            boxes.append(torch.from_numpy(scene.boxes))
            labels.append(torch.from_numpy(scene.labels))
            tokens.append(sample.token)
        targets = self.make_targets(boxes, labels)
        return TrainingBatch(make_inputs(clouds, self.config, training=True), targets, tuple(tokens))

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which makes its own rule of targets: that is built of functions."""
        return {name: value for name, value in self.__dict__.items() if name != "make_targets"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.make_targets = make_targets(self.config)
