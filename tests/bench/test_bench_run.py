"""The benchmark takes turns, refuses contestants that disagree, and writes its page and its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bev3d import UserError
from bev3d.bench import Case, _run, race, run_benchmarks
from bev3d.bench._race import check_same


def test_contestants_take_turns_after_a_first_call() -> None:
    calls: list[str] = []
    contestants = {name: (lambda name=name: calls.append(name)) for name in ("ours", "theirs")}
    timings = race(Case("nothing", 10, "call", contestants), repeats=3)
    assert calls == ["ours", "theirs"] * 4
    assert [timing.runs for timing in timings] == [3, 3]
    assert all(0 <= t.lower_quartile_ms <= t.median_ms <= t.upper_quartile_ms for t in timings)


def test_answers_that_differ_are_refused() -> None:
    check_same([1.0, 2.0], [1.0, 2.0 + 1e-12])
    for other in ([1.0, 2.1], [1.0, float("nan")]):
        with pytest.raises(RuntimeError, match="do not agree"):
            check_same([1.0, 2.0], other)


def test_page_and_numbers_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOX_CASES", "TARGET_CASES", "DATA_CASES"):
        monkeypatch.setattr(_run, name, ())
    monkeypatch.setattr(_run, "BOX_CASES", (lambda: Case("a case", 1000, "pair", {"ours": lambda: None}),))
    before = torch.get_num_threads()
    (timing,) = run_benchmarks(tmp_path, repeats=2, threads=before + 1)
    assert torch.get_num_threads() == before
    assert timing.case == "a case"
    numbers = json.loads((tmp_path / "benchmarks.json").read_text())
    assert numbers["timings"][0]["contestant"] == "ours"
    assert {"processor", "cores", "torch", "numba"} <= set(numbers["machine"])
    assert "| a case | ours |" in (tmp_path / "benchmarks.md").read_text()


def test_impossible_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="repeats: expected at least 2, got 1"):
        run_benchmarks(tmp_path, repeats=1)
    with pytest.raises(UserError, match="threads: expected at least 1, got 0"):
        run_benchmarks(tmp_path, threads=0)
    assert not list(tmp_path.iterdir())
