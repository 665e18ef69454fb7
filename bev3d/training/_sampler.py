"""Which sample comes when: a function of seed and position, so that a run can stop anywhere and go on."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Sampler"]

# streams of random numbers that must not meet: order of the samples, and augmentation
ORDER, AUGMENTATION = 0, 1


class Sampler:
    """Endless passes over a data set, each in a new random order.

    Nothing is drawn one after the other: the order of a pass depends on the seed and its number alone, and the
    random numbers of a draw on the seed and its position. The state of a run is therefore one number, and it
    does not matter how far ahead samples are loaded.

    Args:
        length: samples in the data set.
        seed: of this run.
    """

    def __init__(self, length: int, seed: int) -> None:
        if length < 1:
            raise ValueError(f"length: expected at least 1 sample, got {length}")
        self.length, self.seed = length, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def index(self, position: int) -> int:
        """Index into the data set of the draw at ``position``, which counts from 0 over all passes."""
        epoch, place = divmod(position, self.length)
        if epoch != self._epoch:
            self._order = np.random.default_rng([self.seed, ORDER, epoch]).permutation(self.length)
            self._epoch = epoch
        return int(self._order[place])

    def random(self, position: int) -> np.random.Generator:
        """Random numbers for the augmentation of the draw at ``position``."""
        return np.random.default_rng([self.seed, AUGMENTATION, position])

    def steps(self, epochs: float, batch_size: int) -> int:
        """Steps of a run of ``epochs`` passes: ceil(epochs * length / batch size)."""
        return max(1, math.ceil(epochs * self.length / batch_size - 1e-9))
