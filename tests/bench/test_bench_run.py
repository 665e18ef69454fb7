"""The benchmark tries every case, writes numbers, page and figures, and refuses what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bev3d import UserError
from bev3d.bench import _run
from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench._race import Effort
from bev3d.bench._run import choose, run_benchmarks, run_cases
from bev3d.bench._sweeps import SWEEPS
from bev3d.bench.cases import all_cases

SHORTEST = Effort(turns=2, samples=1, seconds=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(all_cases()))
def test_every_case_runs_and_ours_is_right(name: str) -> None:
    outcome = run_cases({name: all_cases()[name]}, SHORTEST, small=True)
    assert not outcome.skipped
    (case,) = outcome.cases
    for timing in case["timings"]:
        if timing["ours"]:
            assert timing["failure"] is None
            assert timing["median_ms"] > 0
            assert timing["error"] is None or timing["error"] <= 1e-3
    for verdict in outcome.verdicts:
        assert verdict["measured"] is not None
        assert verdict["met"] or verdict["quantity"] != "error", verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SWEEPS))
def test_every_growth_runs(name: str) -> None:
    sweep = _run.grow(name, SHORTEST, small=True)
    assert any(line.ours for line in sweep.lines)
    assert any(not line.ours for line in sweep.lines)
    for line in sweep.lines:
        assert [point.size for point in line.points] == sorted(point.size for point in line.points)
        assert all(0 < p.lower_quartile_ms <= p.median_ms <= p.upper_quartile_ms for p in line.points)


def test_page_numbers_and_figures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contestants = {"ours": ours(lambda: 1.0), "theirs, for good": peer(lambda: 2.0)}
    case = Case("a case", 1000, "pair", contestants, (Limit("ours", "ms", 1e9),), truth=1.0)
    monkeypatch.setattr(_run, "all_cases", lambda: {"a-case": lambda small: case})
    monkeypatch.setattr(_run, "SWEEPS", {"grow-aligned": SWEEPS["grow-aligned"]})
    (tmp_path / "benchmarks.json").write_text('{"cuda a GPU": {}, "left over": 1}')
    monkeypatch.setattr("bev3d.bench._page._cuda", lambda section: "the section of a GPU stays\n")
    before = torch.get_num_threads()
    section = run_benchmarks(tmp_path, quick=True)
    assert torch.get_num_threads() == before
    numbers = json.loads((tmp_path / "benchmarks.json").read_text())
    assert list(numbers) == ["cpu", "cuda a GPU"]
    assert numbers["cpu"]["cases"] == section["cases"]
    assert {"processor", "cores", "torch", "numba", "load_average"} <= set(numbers["cpu"]["machine"])
    assert "shapely" in numbers["cpu"]["packages"]
    page = (tmp_path / "benchmarks.md").read_text()
    for text in (
        "### a case",
        "| **ours** | 1 |",
        "3 of 3 met",
        "A quick run",
        "benchmarks/boxes.png",
        "the section of a GPU stays",
    ):
        assert text in page
    assert (tmp_path / "benchmarks" / "boxes.png").stat().st_size > 1000


def test_case_of_an_absent_package_is_listed() -> None:
    def absent(small: bool) -> Case:
        raise ImportError("no such package")

    outcome = run_cases({"a-case": absent}, SHORTEST, small=True)
    assert outcome.skipped == {"a-case": "no such package"}
    assert outcome.cases == []


def test_impossible_wishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="repeats: expected at least 2, got 1"):
        run_benchmarks(tmp_path, repeats=1)
    with pytest.raises(UserError, match="only: expected a case or a part of its name, got 'nothing'; there are: "):
        run_benchmarks(tmp_path, only=("nothing",))
    assert not list(tmp_path.iterdir())
    assert list(choose({"nms": 1, "nms-circle": 2, "focal": 3}, ("nms",))) == ["nms", "nms-circle"]
