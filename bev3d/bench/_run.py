"""All cases, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from bev3d._errors import UserError, require
from bev3d._files import write_json, write_text
from bev3d._progress import track
from bev3d.bench._boxes import BOX_CASES
from bev3d.bench._data import DATA_CASES
from bev3d.bench._page import machine, page, table
from bev3d.bench._race import Timing, race
from bev3d.bench._targets import TARGET_CASES

__all__ = ["run_benchmarks"]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_benchmarks(out: Path, *, repeats: int = 15, threads: int = 1) -> list[Timing]:
    """Time every case, print the table, and write ``out/benchmarks.md`` and ``out/benchmarks.json``.

    Args:
        out: folder.
        repeats: timed runs of each contestant.
        threads: threads that the kernels and torch may use.

    Raises:
        UserError: fewer than 2 repeats or 1 thread.
        MissingPackageError: shapely, a contestant, is absent.
    """
    for name, value, least in (("repeats", repeats, 2), ("threads", threads, 1)):
        if value < least:
            raise UserError(f"{name}: expected at least {least}, got {value}")
    require("shapely", extra="nuscenes", purpose="the benchmark")
    facts, timings = machine(threads), []
    with torch_threads(threads):
        for case in track((*BOX_CASES, *TARGET_CASES, *DATA_CASES), "benchmarks", unit="cases"):
            timings += race(case(), repeats)
    write_json(out / "benchmarks.json", {"machine": facts, "timings": [asdict(timing) for timing in timings]})
    write_text(out / "benchmarks.md", page(facts, timings))
    print(table(timings))
    return timings
