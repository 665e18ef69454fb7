"""Contestants in turn on a device: what a call takes in a row of calls, on the device alone, and of the host's time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from bev3d.bench._case import Case
from bev3d.bench._race import Timing

__all__ = ["CudaTiming", "Stopwatch", "as_facts", "cuda_race", "device_floors"]

LONGEST_TURN_MS = 20.0
MOST_CALLS = 50
HOST_CALLS = 10  # few enough that the queue of launches never fills


@dataclass(frozen=True)
class CudaTiming(Timing):
    """One contestant; ``median_ms`` and the quartiles are those of a call in a row of calls.

    Attributes:
        device_ms: the same work replayed from a CUDA graph, free of the host; None where it cannot be captured.
        host_us: until the call returns, the device idle before.
    """

    device_ms: float | None = None
    host_us: float | None = None


class Stopwatch:
    """Events on CUDA; the clock on a CPU, for trying the tables without a GPU."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.on_gpu = self.device.type == "cuda"

    def wait(self) -> None:
        """Until the device has done everything."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def milliseconds(self, run: Callable[[], Any], calls: int) -> float:
        """Of one of ``calls`` calls in a row."""
        if not self.on_gpu:
            return self.host_milliseconds(run, calls)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    def host_milliseconds(self, run: Callable[[], Any], calls: int) -> float:
        """Until one of ``calls`` calls has returned."""
        self.wait()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        elapsed = time.perf_counter() - start
        self.wait()
        return 1e3 * elapsed / calls

    def captured(self, run: Callable[[], Any], calls: int) -> Callable[[], None] | None:
        """A replay of ``calls`` calls without the host; None where one of them waits for the device."""
        if not self.on_gpu:
            return None
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                run()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                for _ in range(calls):
                    run()
        except RuntimeError:
            torch.cuda.synchronize()
            return None
        return graph.replay


def cuda_race(case: Case, stopwatch: Stopwatch, turns: int, captured: bool = True) -> list[CudaTiming]:
    """Judge the answers, then time in turn; a contestant that fails is listed with the reason.

    Args:
        captured: whether contestants may be captured; those that surely wait for the device need not be tried.
    """
    rows, racers = {}, {}
    for name, contestant in case.contestants.items():
        row = CudaTiming(case.name, name, 1, contestant.ours, None)
        try:
            row = replace(row, error=case.error_of(contestant.read(contestant.run())))
            racers[name] = contestant.run
        except Exception as problem:
            row = replace(row, failure=f"{type(problem).__name__}: {problem}".splitlines()[0][:160])
        rows[name] = row
    samples: dict[str, list[float]] = {name: [] for name in racers}
    host: dict[str, list[float]] = {name: [] for name in racers}
    calls = {name: _calls(stopwatch, run) for name, run in racers.items()}
    for _ in range(turns):
        for name, run in racers.items():
            stopwatch.milliseconds(run, 1)  # the others have emptied the caches
            samples[name].append(stopwatch.milliseconds(run, calls[name]))
            host[name].append(stopwatch.host_milliseconds(run, min(calls[name], HOST_CALLS)))
    for name in racers:
        low, middle, high = statistics.quantiles(samples[name], n=4, method="inclusive")
        alone = _alone(stopwatch, racers[name], calls[name], turns) if captured else None
        rows[name] = replace(
            rows[name], median_ms=middle, lower_quartile_ms=low, upper_quartile_ms=high, fastest_ms=min(samples[name]),
            samples=turns, device_ms=alone, host_us=1e3 * statistics.median(host[name]),
        )  # fmt: skip
    return list(rows.values())


def _calls(stopwatch: Stopwatch, run: Callable[[], Any]) -> int:
    """As many calls as fill a turn, 50 at most."""
    stopwatch.milliseconds(run, 2)
    once = max(stopwatch.milliseconds(run, 1), 1e-3)
    return max(1, min(MOST_CALLS, int(LONGEST_TURN_MS / once)))


def _alone(stopwatch: Stopwatch, run: Callable[[], Any], calls: int, turns: int) -> float | None:
    replay = stopwatch.captured(run, calls)
    if replay is None:
        return None
    replay()
    return statistics.median(stopwatch.milliseconds(replay, 1) for _ in range(turns)) / calls


def device_floors(stopwatch: Stopwatch, turns: int, elements: int) -> dict[str, Any]:
    """What no kernel passes: the bandwidth of a copy, and what the smallest launch costs."""
    source = torch.zeros(elements, device=stopwatch.device)
    target, one = torch.empty_like(source), torch.zeros(1, device=stopwatch.device)
    rate = statistics.median(stopwatch.milliseconds(lambda: target.copy_(source), 10) for _ in range(turns))
    launch = statistics.median(stopwatch.milliseconds(lambda: one.fill_(1.0), MOST_CALLS) for _ in range(turns))
    return {
        "copy_GB_per_s": round(8 * elements / rate / 1e6, 1),
        "fill_of_one_number_us": round(1e3 * launch, 2),
    }


def as_facts(timings: list[CudaTiming]) -> list[dict[str, Any]]:
    """Plain values for JSON."""
    return [asdict(timing) for timing in timings]
