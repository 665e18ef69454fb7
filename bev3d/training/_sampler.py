"""Which sample comes when: a function of seed and position, so that a run can stop anywhere and go on."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["RankSampler", "Sampler", "step_seed"]

# streams of random numbers that must not meet: order of the samples, augmentation, and what the network draws
ORDER, AUGMENTATION, NETWORK = 0, 1, 2


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


class RankSampler(Sampler):
    """The draws of one of several processes, which together take those of ``sampler``, each once.

    Batch k of rank r is part k * ranks + r of the whole, cut into batches, so that the ranks take in a step what one
    process with batches of ``batch_size * ranks`` would. No rank ever has fewer draws than another, whatever the length
    of the data set, and none waits for one that has run out.

    Args:
        sampler: draws of the whole run.
        rank, ranks: number of this process, and how many there are.
        batch_size: samples of a batch of one process.
    """

    def __init__(self, sampler: Sampler, *, rank: int, ranks: int, batch_size: int) -> None:
        super().__init__(sampler.length, sampler.seed)
        self.whole, self.rank, self.ranks, self.batch_size = sampler, rank, ranks, batch_size

    def index(self, position: int) -> int:
        """Index into the data set of this rank's draw at ``position``."""
        return self.whole.index(self._position(position))

    def random(self, position: int) -> np.random.Generator:
        """Random numbers for the augmentation of this rank's draw at ``position``."""
        return self.whole.random(self._position(position))

    def _position(self, position: int) -> int:
        batch, place = divmod(position, self.batch_size)
        return (batch * self.ranks + self.rank) * self.batch_size + place


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of what the network itself draws in a step, as dropout does: a function of its place, as the samples are."""
    return int(np.random.SeedSequence([seed, NETWORK, step, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))
