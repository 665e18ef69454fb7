"""Boxes of a trained detector for every sample of a split."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bev3d._progress import track
from bev3d.config import Config
from bev3d.data import Dataset, Detections, open_dataset
from bev3d.training._clock import StageClock
from bev3d.training._detect import detect, load_detector
from bev3d.training._parts import PredictionParts
from bev3d.training._prefetch import prefetch
from bev3d.training._samples import read_sample
from bev3d.training._views import Views, make_views

__all__ = ["PredictionBatch", "PredictionBatches", "predict", "predicted_batches"]

SAMPLES_PER_PART = 64


@dataclass(frozen=True, eq=False)
class PredictionBatch:
    """What a detector reads of a few samples.

    Attributes:
        tokens: the samples.
        views: of :func:`bev3d.training.make_views`.
        seconds: that reading and encoding took.
    """

    tokens: tuple[str, ...]
    views: Views
    seconds: dict[str, float]


class PredictionBatches:
    """Samples of a data set as a detector reads them.

    Args:
        dataset: samples.
        config: encoder, grid, mirror images.
    """

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self.dataset, self.config = dataset, config

    def __call__(self, indices: Sequence[int]) -> PredictionBatch:
        """The batch of these samples."""
        start = time.perf_counter()
        samples = [read_sample(self.dataset, i) for i in indices]
        middle = time.perf_counter()
        views = make_views([sample.points for sample in samples], self.config)
        seconds = {"read": middle - start, "encode": time.perf_counter() - middle}
        return PredictionBatch(tuple(sample.token for sample in samples), views, seconds)

    def describe(self, indices: Sequence[int]) -> str:
        """Names of these samples."""
        return ", ".join(self.dataset.tokens[i] for i in indices)


def predict(
    checkpoint: str | Path,
    dataroot: str | Path,
    *,
    config: Config | None = None,
    split: str | None = None,
    dataset: Dataset | None = None,
    parts: Path | None = None,
    clock: StageClock | None = None,
) -> dict[str, Detections]:
    """Run a trained detector over a split.

    Args:
        checkpoint: file that :func:`train` wrote.
        dataroot: folder of the data set.
        config: settings of prediction and data; those of the checkpoint where it is None. Grid, classes and
            network must be the checkpoint's.
        split: ``config.val_split`` where it is None.
        dataset: samples in place of those under ``dataroot``.
        parts: folder in which finished samples are kept, so that a prediction that was stopped goes on where it was;
            whoever has written the result deletes it. None: nothing is kept.
        clock: counts the time of each stage.

    Returns:
        Detections by sample token, in the order of the data set.

    Raises:
        FileNotFoundError: no such checkpoint.
        UserError: a damaged checkpoint, or one of another network; a sample that cannot be read; a GPU asked for
            that is not there; ``parts`` of other settings.
    """
    detector, config = load_detector(checkpoint, config)
    if dataset is None:
        dataset = open_dataset(config, Path(dataroot), split or config.val_split)
    clock = StageClock() if clock is None else clock
    clock.device = next(detector.parameters()).device
    size = max(1, SAMPLES_PER_PART // config.batch_size) * config.batch_size
    ranges = [range(first, min(first + size, len(dataset))) for first in range(0, len(dataset), size)]
    store = None if parts is None else PredictionParts(parts, Path(checkpoint), config, dataset, clock.device.type)
    found = {} if store is None else store.read(ranges)
    pending = [samples for samples in ranges if samples.start not in found]
    if found:
        done = sum(len(part) for part in found.values())
        print(f"predicting: {done} of {len(dataset)} samples are done already", file=sys.stderr)
    batches = [batch for samples in pending for batch in _batches(samples, config.batch_size)]
    with closing(predicted_batches(detector, dataset, batches, config, clock=clock)) as running:
        answers = track(running, "predicting", total=len(batches), unit="batches")
        for samples in pending:
            part = [detections for _ in _batches(samples, config.batch_size) for detections in next(answers)]
            if store is not None:
                store.write(samples.start, part)
            found[samples.start] = part
    if clock.left_out:
        print(f"predicting: {clock.left_out} boxes whose numbers are not finite were left out", file=sys.stderr)
    return {detections.token: detections for first in sorted(found) for detections in found[first]}


def _batches(samples: range, size: int) -> list[range]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def predicted_batches(
    detector: nn.Module,
    dataset: Dataset,
    batches: Sequence[Sequence[int]],
    config: Config,
    *,
    clock: StageClock | None = None,
) -> Generator[list[Detections]]:
    """Detections of every batch of samples, in order, while the next are prepared.

    Args:
        detector: in evaluation mode, on any device.
        dataset: samples.
        batches: indices into it.
        config: settings of prediction.
        clock: counts the time of each stage.
    """
    clock = StageClock() if clock is None else clock
    load = PredictionBatches(dataset, config)
    loaded = prefetch(load, batches, workers=config.loader_workers, describe=load.describe, clock=clock)
    with closing(loaded):
        for batch in loaded:
            clock.add(batch.seconds)
            yield detect(detector, batch.views, batch.tokens, config, clock=clock)
