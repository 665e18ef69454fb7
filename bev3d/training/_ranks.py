"""The processes of a run: one under plain python, as many as a launcher started otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from bev3d._errors import ConfigError, UserError

__all__ = ["Ranks", "joined_ranks", "peer_failures_named"]

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, eq=False)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank: its number, from 0; rank 0 alone writes and prints.
        size: how many there are.
        local_rank: its number on this machine, which chooses its GPU.
        control: group in which CPU tensors are exchanged, so that decisions wait for no GPU; None where size is 1.
        statistics: group of batch norm, apart from that of the gradients, so that their orders need not agree.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    control: distributed.ProcessGroup | None = None
    statistics: distributed.ProcessGroup | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def add(self, values: Sequence[float]) -> list[float]:
        """Element-wise sum over the ranks, in float64; every rank gets it, and gives as many values."""
        if self.size == 1 or not values:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(summed, group=self.control)
        return summed.tolist()

    def gather(self, value: Any) -> list[Any]:
        """``value`` of every rank, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value, group=self.control)
        return found


@contextmanager
def joined_ranks(device: str, timeout_s: float) -> Iterator[Ranks]:
    """The processes that a launcher started, by its environment variables, for the length of a run.

    ``torchrun`` and ``accelerate launch`` set RANK, WORLD_SIZE and LOCAL_RANK. A process group that is already
    initialised is used and left alone.

    Args:
        device: setting of the run: gloo alone serves ``cpu``; GPUs exchange gradients over nccl.
        timeout_s: how long a rank waits for another.

    Raises:
        ConfigError: variables that are missing or no numbers.
    """
    ours = not distributed.is_initialized() if distributed.is_available() else False
    size = _number("WORLD_SIZE", 1) if ours or not distributed.is_available() else distributed.get_world_size()
    if size == 1:
        yield Ranks()
        return
    waits = timedelta(seconds=timeout_s)
    local_rank = _number("LOCAL_RANK", 0)
    backend = "nccl" if device != "cpu" and torch.cuda.is_available() else "gloo"
    if ours:
        _check_variables()
        distributed.init_process_group(backend, timeout=waits)
    try:
        control = distributed.new_group(backend="gloo", timeout=waits)
        statistics = distributed.new_group(backend=backend, timeout=waits)
        yield Ranks(distributed.get_rank(), size, local_rank, control, statistics)
    finally:
        if ours:
            distributed.destroy_process_group()


@contextmanager
def peer_failures_named(ranks: Ranks) -> Iterator[None]:
    """Say plainly that another process went away or stopped answering, in place of a transport's error."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        kinds = tuple(
            getattr(distributed, name) for name in ("DistError", "DistBackendError") if hasattr(distributed, name)
        )
        if ranks.size == 1 or not (isinstance(error, kinds) or "gloo" in text.lower() or "nccl" in text.lower()):
            raise
        raise UserError(
            f"rank {ranks.rank} of {ranks.size}: another process of the run failed or stopped answering; "
            f"its own message says why ({text.splitlines()[0][:160]})"
        ) from error


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a whole number in the environment, got {text!r}") from None


def _check_variables() -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}: expected the variables that torchrun sets, "
            f"but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    rank, size = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if not 0 <= rank < size:
        raise ConfigError(f"RANK: expected 0 to {size - 1}, got {rank}")
