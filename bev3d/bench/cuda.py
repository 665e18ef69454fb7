"""The benchmark of a GPU, also ``python3 -m bev3d.bench.cuda``: torch, NumPy, Numba, PyYAML, cuda-bindings suffice."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bev3d._errors import UserError
from bev3d._machine import machine
from bev3d._progress import track
from bev3d.bench._cuda_race import Stopwatch, as_facts, cuda_race, device_floors
from bev3d.bench._limits import judge
from bev3d.bench._page import keep_section
from bev3d.bench._race import torch_threads
from bev3d.bench._tables import case_tables, verdict_table
from bev3d.bench.cuda_cases import WITHOUT_GRAPH, cuda_cases

__all__ = ["run_cuda"]

METHOD = """*Median* and *quartiles*: a call in a row of up to 50, between two events on the stream, so that a call that
the device finishes before the host has sent the next one costs what the host costs. *Device alone*: the same calls
captured in a CUDA graph and replayed; empty where a call has to wait for the device. *Host*: until a call has returned,
the device idle before. Rates count what has to be read and written, over the time on the device."""


def run_cuda(
    out: Path | None, *, repeats: int = 15, quick: bool = False, only: tuple[str, ...] = (), device: str = "cuda"
) -> dict[str, Any]:
    """Time every operation on the GPU, print the tables, and put a section of its name into page and numbers.

    Args:
        out: folder of ``benchmarks.md`` and ``benchmarks.json``; None writes nothing.
        repeats: turns of each contestant.
        quick: tiny sizes and two turns.
        only: parts of names of cases; empty: all.
        device: ``"cpu"`` tries everything without a GPU; the numbers say nothing.

    Raises:
        UserError: no GPU, fewer than 2 repeats, or no case of such a name.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: expected an NVIDIA GPU that torch can use, found none")
    if repeats < 2:
        raise UserError(f"repeats: expected at least 2, got {repeats}")
    start, turns = time.perf_counter(), 2 if quick else repeats
    facts, stopwatch = machine(), Stopwatch(device)
    floors = device_floors(stopwatch, turns, 1 << 10 if quick else 1 << 26)
    section: dict[str, Any] = {
        "quick": quick, "machine": facts, "floors": floors, "method": METHOD,
        "cases": [], "verdicts": [], "skipped": {},
    }  # fmt: skip
    chosen = _choose(only)
    for name in track(chosen, "benchmarks on the GPU", unit="cases"):
        with torch_threads(torch.get_num_threads() if stopwatch.on_gpu else 1):
            _add(section, name, stopwatch, turns, quick)
    section["seconds"] = round(time.perf_counter() - start)
    if out is not None:
        keep_section(out, f"cuda {facts.get('gpu', 'tried on a CPU')}", section)
    print("\n\n".join((case_tables(section["cases"]), verdict_table(section["verdicts"]))))
    for name, reason in section["skipped"].items():
        print(f"not run: {name}: {reason}", file=sys.stderr)
    print(f"{section['seconds']} s in all", file=sys.stderr)
    return section


def _add(section: dict[str, Any], name: str, stopwatch: Stopwatch, turns: int, quick: bool) -> None:
    """Make, time and judge one case."""
    try:
        case = cuda_cases()[name](stopwatch.device.type, quick)
    except ImportError as problem:
        section["skipped"][name] = str(problem)
        return
    timings = cuda_race(case, stopwatch, turns, captured=name not in WITHOUT_GRAPH)
    known = {key: getattr(case, key) for key in ("name", "items", "unit", "moved_bytes", "error_name")}
    section["cases"].append({"key": name, **known, "timings": as_facts(timings)})
    copy_rate = section["floors"]["copy_GB_per_s"]
    section["verdicts"] += [asdict(verdict) for verdict in judge(case, timings, copy_rate)]


def _choose(only: tuple[str, ...]) -> list[str]:
    names = list(cuda_cases())
    for part in only:
        if not any(part in name for name in names):
            raise UserError(f"only: expected a case or a part of its name, got '{part}'; there are: {', '.join(names)}")
    return [name for name in names if not only or any(part in name for part in only)]


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m bev3d.bench.cuda", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md and benchmarks.json")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu tries the tables without a GPU")
    given = parser.parse_args()
    try:
        run_cuda(given.out, repeats=given.repeats, quick=given.quick, only=tuple(given.only), device=given.device)
    except UserError as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
