"""Errors of a run that say what failed and what to do: data, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from bev3d._errors import UserError
from bev3d.config import Config
from bev3d.data import Dataset
from bev3d.training._batches import TrainingBatch
from bev3d.training._sampler import Sampler

__all__ = ["OutOfMemoryError", "SampleError", "SamplesNamed", "memory_named"]


class SampleError(UserError):
    """A sample that could not be read or prepared."""


class OutOfMemoryError(UserError):
    """A step that did not fit into memory."""


class SamplesNamed:
    """A function from numbers to batches whose errors name the sample that cannot be read, or all of the batch.

    Memory that runs out stays a ``MemoryError``, and an interruption what it is. Another process can have it.

    Args:
        make: the function.
        dataset, sampler, batch_size: where the samples of a batch come from.
    """

    def __init__(
        self, make: Callable[[int], TrainingBatch], dataset: Dataset, sampler: Sampler, batch_size: int
    ) -> None:
        self.make, self.dataset, self.sampler, self.batch_size = make, dataset, sampler, batch_size

    def __call__(self, number: int) -> TrainingBatch:
        """The batch."""
        try:
            return self.make(number)
        except MemoryError:
            raise
        except Exception as error:
            what = _unreadable(self.dataset, self._indices(number)) or f"samples {self.describe(number)}"
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            raise SampleError(f"{what}: could not be prepared for training: {kind}{error}") from error

    def describe(self, number: int) -> str:
        """Names of the samples of a batch."""
        return ", ".join(self.dataset.tokens[i] for i in self._indices(number))

    def _indices(self, number: int) -> list[int]:
        positions = range(number * self.batch_size, (number + 1) * self.batch_size)
        return [self.sampler.index(position) for position in positions]


def _unreadable(dataset: Dataset, indices: list[int]) -> str:
    return next((f"sample {dataset.tokens[i]}" for i in indices if not _readable(dataset, i)), "")


def _readable(dataset: Dataset, index: int) -> bool:
    try:
        dataset[index]
    except Exception:
        return False
    return True


@contextmanager
def memory_named(config: Config, device: torch.device, step: int) -> Iterator[None]:
    """Say what ran out of memory, and what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise OutOfMemoryError(
            f"step {step}: out of memory on {device} with batch_size {config.batch_size}, accumulate "
            f"{config.accumulate} ({first}); lower batch_size and raise accumulate by as much for the same loss, "
            "narrow range_m or widen voxel_size_m, or take precision bfloat16"
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    # torch has no type of its own for the CPU
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error) or "not enough memory" in str(error)
