"""Class-balanced resampling of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_balanced_indices"]


def class_balanced_indices(
    labels: Sequence[NDArray[np.int64]], class_count: int, random: np.random.Generator | int
) -> NDArray[np.int64]:
    """Indices of samples in which every class has the same share (CBGS, Zhu et al. 2019, arXiv:1908.09492).

    Let D_c be the number of samples that hold class c, D their sum over the classes and K the number of classes that
    occur. Each of these classes draws floor(D / K) samples out of its D_c: all of them as often as fits, and the rest
    without a repetition, so that two samples of a class differ by one draw at most. (The published code draws each
    time out of all, and divides by zero where a class is absent.) A sample without any object is never drawn.

    Args:
        labels: per sample the (N,) classes of its boxes; -1 is none.
        class_count: classes are 0 to ``class_count`` - 1.
        random: generator or seed; the same gives the same indices.

    Returns:
        (K * floor(D / K),) int64, class by class; empty where no sample holds an object. For training, shuffle them.

    Raises:
        ValueError: a label outside [-1, ``class_count``), ``class_count`` < 1.
    """
    if class_count < 1:
        raise ValueError(f"class_count: expected an integer >= 1, got {class_count}")
    generator = np.random.default_rng(random)
    holders: list[list[int]] = [[] for _ in range(class_count)]
    for index, label in enumerate(labels):
        present = np.unique(label)
        if len(present) and not (present[0] >= -1 and present[-1] < class_count):
            raise ValueError(f"labels[{index}]: expected -1 to {class_count - 1}, got {present[0]} to {present[-1]}")
        for c in present[present >= 0].tolist():
            holders[c].append(index)
    occurring = [np.array(samples, np.int64) for samples in holders if samples]
    if not occurring:
        return np.empty(0, np.int64)
    share = sum(map(len, occurring)) // len(occurring)
    return np.concatenate([_draw(samples, share, generator) for samples in occurring])


def _draw(samples: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    rounds, rest = divmod(count, len(samples))
    return np.concatenate([np.tile(samples, rounds), generator.permutation(samples)[:rest]])
