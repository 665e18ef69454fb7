"""Contestants in turn: the same input, warm caches, the same weather."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from bev3d.bench._case import Case, Contestant
from bev3d.bench._packages import quiet

__all__ = ["Effort", "Timing", "race", "time_in_turns", "torch_threads"]

SHORTEST_SAMPLE_S = 100e-6  # faster calls are timed several at a time
WARMED_BELOW_S = 50e-3  # a faster call is made once untimed at each turn: others have emptied the caches
SLOW_S = 0.5  # two runs of what takes longer


@dataclass(frozen=True)
class Effort:
    """How long to look.

    Attributes:
        turns: turns of each contestant.
        samples: timed samples in a turn.
        seconds: bound of one contestant's turns together; slow ones get fewer of them, two at least.
    """

    turns: int = 15
    samples: int = 3
    seconds: float = 1.2


@dataclass(frozen=True)
class Timing:
    """One contestant in one case.

    Attributes:
        busy: processor time over elapsed time: how many threads it kept busy.
        error: what :attr:`bev3d.bench._case.Case.error` says of its answer.
        failure: why there is no time.
    """

    case: str
    contestant: str
    threads: int
    ours: bool
    median_ms: float | None
    lower_quartile_ms: float | None = None
    upper_quartile_ms: float | None = None
    fastest_ms: float | None = None
    samples: int = 0
    busy: float | None = None
    error: float | None = None
    failure: str | None = None


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def race(case: Case, effort: Effort) -> list[Timing]:
    """Check the answers of a case's contestants, then time them in turn; one that fails is listed with the reason."""
    facts: dict[str, Timing] = {}
    runners: dict[str, Contestant] = {}
    for name, contestant in case.contestants.items():
        error = failure = None
        try:
            # a peer's panic prints its stack; ours says what it compiles
            with torch_threads(contestant.threads), nullcontext() if contestant.ours else quiet():
                answer = contestant.run()
            error = case.error_of(contestant.read(answer))
            runners[name] = contestant
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as problem:  # PyO3 panics are no Exception
            failure = f"{type(problem).__name__}: {problem}".splitlines()[0][:160]
        facts[name] = Timing(case.name, name, contestant.threads, contestant.ours, None, error=error, failure=failure)
    times = time_in_turns(runners, effort)
    return [_with_times(timing, *times[name]) if name in times else timing for name, timing in facts.items()]


def time_in_turns(contestants: dict[str, Contestant], effort: Effort) -> dict[str, tuple[list[float], float]]:
    """Seconds of every sample and the threads kept busy, of contestants that have run once."""
    estimates = {name: _timed(contestant, 1)[0] for name, contestant in contestants.items()}
    turns = {name: _turns(estimate, effort) for name, estimate in estimates.items()}
    samples: dict[str, list[float]] = {
        name: [estimates[name]] if estimates[name] > SLOW_S else [] for name in contestants
    }
    busy: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(effort.turns):
        for name, contestant in contestants.items():
            # spread over the whole race where there are fewer
            if (turn + 1) * turns[name] // effort.turns == turn * turns[name] // effort.turns:
                continue
            estimate = estimates[name]
            calls = max(1, math.ceil(SHORTEST_SAMPLE_S / max(estimate, 1e-7)))
            if estimate < WARMED_BELOW_S:
                _timed(contestant, calls)
            for _ in range(effort.samples if estimate < WARMED_BELOW_S else 1):
                elapsed, used = _timed(contestant, calls)
                samples[name].append(elapsed)
                busy[name].append(used / elapsed)
    return {name: (samples[name], statistics.median(busy[name])) for name in contestants}


def _turns(estimate: float, effort: Effort) -> int:
    if estimate > SLOW_S:
        return 1  # the estimate is the other sample
    per_turn = estimate * (effort.samples + 1 if estimate < WARMED_BELOW_S else 1)
    return max(min(2, effort.turns), min(effort.turns, int(effort.seconds / max(per_turn, 1e-9))))


def _timed(contestant: Contestant, calls: int) -> tuple[float, float]:
    """Elapsed and processor seconds of a call."""
    with torch_threads(contestant.threads):
        if contestant.threads > 1:
            _wake_threads()
        run = contestant.run
        before, start = time.process_time(), time.perf_counter()
        for _ in range(calls):
            run()
        elapsed, used = time.perf_counter() - start, time.process_time() - before
    return elapsed / calls, used / calls


_SPACE = torch.zeros(1 << 18)


def _wake_threads() -> None:
    """Torch ends its threads when their number falls; starting them again is nobody's cost."""
    _SPACE.add_(1)


def _with_times(timing: Timing, samples: list[float], busy: float) -> Timing:
    low, middle, high = statistics.quantiles([1e3 * s for s in samples], n=4, method="inclusive")
    values: dict[str, Any] = {
        **vars(timing),
        "median_ms": middle,
        "lower_quartile_ms": low,
        "upper_quartile_ms": high,
        "fastest_ms": 1e3 * min(samples),
        "samples": len(samples),
        "busy": busy,
    }
    return Timing(**values)
