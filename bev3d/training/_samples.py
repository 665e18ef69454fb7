"""The samples of a training run: read with errors that name them, and drawn so that every class comes as often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError, UserError
from bev3d._progress import track
from bev3d.augment import class_balanced_indices
from bev3d.config import Config
from bev3d.data import Dataset, Sample

__all__ = ["ResampledDataset", "balanced", "read_sample", "trainable"]


class ResampledDataset:
    """Samples of a data set in another order and number.

    Args:
        dataset: where they are read.
        indices: (K,) into ``dataset``; what comes twice is there twice.
    """

    def __init__(self, dataset: Dataset, indices: NDArray[np.int64]) -> None:
        self.dataset, self.indices = dataset, indices
        self._tokens = [dataset.tokens[i] for i in indices.tolist()]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that labels index."""
        return self.dataset.class_names

    @property
    def tokens(self) -> Sequence[str]:
        """Token of every draw."""
        return self._tokens

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        """Points, boxes and labels of a draw."""
        return self.dataset[int(self.indices[index])]

    def annotations(self, index: int) -> Sample:
        """The same without its points."""
        return self.dataset.annotations(int(self.indices[index]))


def balanced(dataset: Dataset, config: Config) -> Dataset:
    """The data set itself, or where ``config.class_balanced`` its samples drawn so that every class comes as often.

    The draws depend on the seed alone, see :func:`bev3d.augment.class_balanced_indices`; a pass over them, each time
    in a new order, is an epoch. A class that never occurs gets no draws.

    Raises:
        UserError: no sample holds an object that could be trained on.
    """
    if not config.class_balanced:
        return dataset
    labels = []
    for index in track(range(len(dataset)), "class balance", unit="samples"):
        with naming(dataset, index):
            sample = dataset.annotations(index)
        labels.append(sample.labels[trainable(sample, config)])
    indices = class_balanced_indices(labels, len(config.class_names), config.seed)
    if not len(indices):
        raise UserError(f"class_balanced: expected objects in the {len(dataset)} training samples, found none")
    return ResampledDataset(dataset, indices)


def trainable(sample: Sample, config: Config) -> NDArray[np.bool_]:
    """(N,) bool: boxes of a known class with enough points; an unknown number of points (-1) is enough."""
    enough = (sample.num_points < 0) | (sample.num_points >= config.min_points_per_box)
    good: NDArray[np.bool_] = (sample.labels >= 0) & enough
    return good


def read_sample(dataset: Dataset, index: int) -> Sample:
    """``dataset[index]``.

    Raises:
        DataFormatError: what the data set says of the file, with the sample's token before it.
    """
    with naming(dataset, index):
        return dataset[index]


@contextmanager
def naming(dataset: Dataset, index: int) -> Iterator[None]:
    """Put the sample's token before a complaint about its files."""
    try:
        yield
    except (DataFormatError, OSError) as error:
        raise DataFormatError(f"sample {dataset.tokens[index]}: {error}") from error
