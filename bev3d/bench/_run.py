"""All cases, one after another."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bev3d._errors import UserError
from bev3d._machine import machine
from bev3d._progress import track
from bev3d.bench._accuracy import accuracy
from bev3d.bench._case import Cases
from bev3d.bench._limits import judge, judge_accuracy
from bev3d.bench._packages import package_versions
from bev3d.bench._page import keep_section
from bev3d.bench._plots import draw_growth
from bev3d.bench._race import Effort, race
from bev3d.bench._sweeps import SWEEPS, grow
from bev3d.bench._tables import accuracy_table, case_tables, verdict_table
from bev3d.bench.cases import all_cases

__all__ = ["run_benchmarks", "run_cases"]

QUICK = Effort(turns=2, samples=1, seconds=0.05)


@dataclass
class Outcome:
    """What the cases gave, as plain values."""

    cases: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    skipped: dict[str, str]


def run_benchmarks(
    out: Path | None, *, repeats: int = 15, quick: bool = False, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Time every case on the CPU, print the tables, and write page, numbers and figures.

    Args:
        out: folder of ``benchmarks.md``, ``benchmarks.json`` and ``benchmarks/*.png``; None writes nothing.
        repeats: turns of each contestant.
        quick: tiny sizes and two turns, to try everything; the numbers say nothing.
        only: names of cases, or parts of them; empty: all, the count of wrong pairs and the growth with size too.

    Returns:
        The section of the CPU, as ``benchmarks.json`` has it.

    Raises:
        UserError: fewer than 2 repeats, or no case of such a name.
    """
    if repeats < 2:
        raise UserError(f"repeats: expected at least 2, got {repeats}")
    start = time.perf_counter()
    effort = QUICK if quick else Effort(turns=repeats)
    facts, cases = machine(), choose({**all_cases(), **dict.fromkeys(SWEEPS), "accuracy": None}, only)
    outcome = run_cases({name: case for name, case in cases.items() if case is not None}, effort, small=quick)
    rows = accuracy(small=quick) if "accuracy" in cases else None
    outcome.verdicts = [asdict(verdict) for verdict in judge_accuracy(rows or [])] + outcome.verdicts
    sweeps = [grow(name, effort, small=quick) for name in track(_sweeps(cases), "growth with size", unit="sweeps")]
    section = {
        "quick": quick,
        "machine": facts,
        "packages": package_versions(),
        **asdict(outcome),
        "accuracy": None if rows is None else [asdict(row) for row in rows],
        "sweeps": [asdict(sweep) for sweep in sweeps],
        "seconds": round(time.perf_counter() - start),
    }
    if out is not None:
        draw_growth(sweeps, out / "benchmarks")
        keep_section(out, "cpu", section)
    report(section)
    return section


def choose(cases: dict[str, Any], only: tuple[str, ...]) -> dict[str, Any]:
    """Cases whose name contains one of ``only``."""
    for part in only:
        if not any(part in name for name in cases):
            raise UserError(f"only: expected a case or a part of its name, got '{part}'; there are: {', '.join(cases)}")
    return {name: case for name, case in cases.items() if not only or any(part in name for part in only)}


def _sweeps(cases: dict[str, Any]) -> list[str]:
    return [name for name in SWEEPS if name in cases]


def run_cases(cases: Cases, effort: Effort, *, small: bool) -> Outcome:
    """Make, time and judge every case; one whose package is absent is listed as skipped."""
    outcome = Outcome([], [], {})
    for name in track(list(cases), "benchmarks", unit="cases"):
        try:
            case = cases[name](small)
        except ImportError as problem:
            outcome.skipped[name] = str(problem)
            continue
        timings = race(case, effort)
        facts = {key: getattr(case, key) for key in ("name", "items", "unit", "moved_bytes", "error_name")}
        outcome.cases.append({"key": name, **facts, "timings": [asdict(timing) for timing in timings]})
        outcome.verdicts += [asdict(verdict) for verdict in judge(case, timings)]
    return outcome


def report(section: dict[str, Any]) -> None:
    """Print the tables."""
    parts: Iterator[str] = iter(
        (
            case_tables(section["cases"]),
            accuracy_table(section["accuracy"]) if section.get("accuracy") else "",
            verdict_table(section["verdicts"]) if section["verdicts"] else "",
            "".join(f"not run: {name}: {reason}\n" for name, reason in section["skipped"].items()),
        )
    )
    print("\n\n".join(part for part in parts if part))
    print(f"{section['seconds']} s in all", file=sys.stderr)
