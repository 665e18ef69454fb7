"""Where the time of a prediction goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

__all__ = ["STAGES", "StageClock"]

STAGES = ("read", "encode", "network", "decode", "suppression", "write")
AHEAD = ("read", "encode")


class StageClock:
    """Seconds by stage.

    Attributes:
        seconds: by stage. On a GPU a stage ends when the GPU has done what the stage gave it.
        waited_s: seconds in which the next batch was not there yet.
        samples: how many were predicted.
        left_out: boxes whose numbers were not finite, so that they were left out.

    Args:
        device: where the network runs.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.waited_s = 0.0
        self.samples = self.left_out = 0
        self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what runs inside as ``name``."""
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] += time.perf_counter() - start

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what runs inside as waiting for a batch."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.waited_s += time.perf_counter() - start

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what was measured elsewhere, as by a process that loads."""
        for name, value in seconds.items():
            self.seconds[name] += value

    @property
    def elapsed_s(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._start

    def report(self) -> str:
        """A table: milliseconds a sample and share of the sum by stage, and samples a second."""
        samples, total = max(self.samples, 1), sum(self.seconds.values()) or 1.0
        lines = [f"{'stage':<12} {'ms a sample':>12} {'share':>7}"]
        for name, seconds in self.seconds.items():
            ahead = "  (ahead, beside the rest)" if name in AHEAD else ""
            lines.append(f"{name:<12} {1000 * seconds / samples:>12.2f} {seconds / total:>7.1%}{ahead}")
        wall = self.elapsed_s
        lines.append(f"{'sum':<12} {1000 * total / samples:>12.2f}")
        lines.append(f"{'wall':<12} {1000 * wall / samples:>12.2f}   {self.samples / wall:.2f} samples/s")
        lines.append(f"waited for the next batch: {self.waited_s / wall:.1%} of the wall time")
        return "\n".join(lines)
