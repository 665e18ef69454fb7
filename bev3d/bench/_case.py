"""What is timed: contestants with the same task, and the limits that ours has to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

__all__ = ["Case", "Cases", "Contestant", "Limit", "differing", "greatest_error", "ours", "peer"]

Quantity = Literal[
    "ns an item", "ms", "GB/s", "times faster", "thread gain", "error",
    "times the floor", "share of copying", "µs of the host",
]  # fmt: skip


def as_array(answer: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    if not isinstance(answer, torch.Tensor):
        return answer
    answer = answer.detach().cpu()
    return (answer.float() if answer.dtype is torch.bfloat16 else answer).numpy()


@dataclass(frozen=True)
class Contestant:
    """Somebody who does the task.

    Attributes:
        run: does it once.
        threads: how many torch and our kernels may use; a package with threads of its own may take others.
        ours: whether it is this library.
        read: brings the answer into the form in which the case compares.
    """

    run: Callable[[], Any]
    threads: int = 1
    ours: bool = False
    read: Callable[[Any], Any] = as_array


def ours(run: Callable[[], Any], threads: int = 1, read: Callable[[Any], Any] = as_array) -> Contestant:
    """A contestant of this library."""
    return Contestant(run, threads, True, read)


def peer(run: Callable[[], Any], threads: int = 1, read: Callable[[Any], Any] = as_array) -> Contestant:
    """Any other contestant."""
    return Contestant(run, threads, False, read)


@dataclass(frozen=True)
class Limit:
    """What a contestant has to reach.

    Attributes:
        contestant: of this library.
        quantity: ``"times faster"`` than ``than``, ``"thread gain"`` over ``than``, the same with fewer threads, and
            ``"GB/s"`` are least values; the others are greatest ones. Only on a GPU: ``"times the floor"``, time on the
            device over that of ``than``; ``"share of copying"``, a least share of a copy's bandwidth, from 0 to 1;
            ``"µs of the host"`` until a call returns.
        bound: the limit.
        than: the other contestant.
    """

    contestant: str
    quantity: Quantity
    bound: float
    than: str | None = None


@dataclass(frozen=True)
class Case:
    """Something to time.

    Attributes:
        name: what is done, with its size.
        items: how many of ``unit`` a run handles.
        unit: what one is, such as ``"pair"``.
        contestants: by name.
        limits: to be kept.
        truth: the right answer, where it is known.
        error: how far an answer is from the truth, and ``error_name`` what that number is.
        moved_bytes: bytes that have to be read and written, for GB/s.
    """

    name: str
    items: int
    unit: str
    contestants: dict[str, Contestant]
    limits: tuple[Limit, ...] = ()
    truth: Any = None
    error: Callable[[Any, Any], float] = field(default=lambda answer, truth: greatest_error(answer, truth))
    error_name: str = "greatest error"
    moved_bytes: int | None = None

    def error_of(self, answer: Any) -> float | None:
        """Distance of an answer from the truth, None where there is none."""
        return None if self.truth is None or answer is None else float(self.error(answer, self.truth))


Cases = dict[str, Callable[[bool], Case]]  # name of a case, and its maker: whether small


def greatest_error(answer: Any, truth: Any) -> float:
    """Greatest absolute difference; infinite where one is not a number, or the shapes differ."""
    if np.shape(answer) != np.shape(truth):
        return float("inf")
    difference = np.abs(np.asarray(answer, np.float64) - np.asarray(truth, np.float64))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def differing(answer: Any, truth: Any) -> float:
    """Entries that are in one list and not in the other."""
    return float(len(set(np.asarray(answer).tolist()) ^ set(np.asarray(truth).tolist())))
