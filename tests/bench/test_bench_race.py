"""Contestants take turns, their answers are judged, and what one cannot do is said."""

from __future__ import annotations

import numpy as np
import pytest

from bev3d.bench._accuracy import Accuracy
from bev3d.bench._case import Case, Limit, differing, greatest_error, ours, peer
from bev3d.bench._limits import judge, judge_accuracy
from bev3d.bench._race import Effort, Timing, race
from bev3d.bench._tables import accuracy_table, case_tables, losses, verdict_table


def test_contestants_take_turns_and_are_warmed() -> None:
    calls: list[str] = []

    def slow(name: str) -> None:
        calls.append(name)
        sum(range(20_000))  # above the shortest sample, so that one call is one

    contestants = {"ours": ours(lambda: slow("ours")), "theirs": peer(lambda: slow("theirs"))}
    timings = race(Case("nothing", 10, "call", contestants), Effort(turns=3, samples=2, seconds=9))
    # an answer each, an estimate each, then three turns of one warming and two timed calls
    assert calls == ["ours", "theirs"] * 2 + (["ours"] * 3 + ["theirs"] * 3) * 3
    assert [timing.samples for timing in timings] == [6, 6]
    for t in timings:
        assert t.median_ms is not None
        assert 0 < t.fastest_ms <= t.lower_quartile_ms <= t.median_ms <= t.upper_quartile_ms  # type: ignore[operator]


def test_time_is_bounded() -> None:
    calls = []
    case = Case("nothing", 1, "call", {"ours": ours(lambda: calls.append(sum(range(200_000))))})
    (timing,) = race(case, Effort(turns=100, samples=3, seconds=0.02))
    assert 6 <= timing.samples < 30


def test_answers_are_judged_and_failures_told() -> None:
    def fails() -> None:
        raise RuntimeError("out of luck\nand more")

    contestants = {"ours": ours(lambda: np.array([1.0, 2.0])), "off": peer(lambda: [1.0, 2.5]), "gone": peer(fails)}
    rows = race(Case("c", 2, "number", contestants, truth=np.array([1.0, 2.0])), Effort(2, 1, 0.01))
    assert [row.error for row in rows] == [0.0, 0.5, None]
    assert [row.failure for row in rows] == [None, None, "RuntimeError: out of luck"]
    assert rows[2].median_ms is None


def test_errors() -> None:
    assert greatest_error([1.0, float("nan")], [1.0, 1.0]) == np.inf
    assert greatest_error([1.0], [1.0, 2.0]) == np.inf
    assert greatest_error(np.empty(0), np.empty(0)) == 0
    assert differing([3, 1, 2], [1, 2, 4]) == 2


def _timing(name: str, ms: float | None, *, is_ours: bool = True, error: float | None = None) -> Timing:
    return Timing("case", name, 1, is_ours, ms, ms, ms, ms, 5, 1.0, error, None if ms else "broken")


@pytest.mark.parametrize(
    ("limit", "measured", "met"),
    [
        (Limit("a", "ms", 2.0), 2.0, True),
        (Limit("a", "ms", 1.9), 2.0, False),
        (Limit("a", "ns an item", 20.0), 20.0, True),
        (Limit("a", "error", 1e-3), 1e-2, False),
        (Limit("a", "GB/s", 2.5), 2.5, True),
        (Limit("a", "times faster", 6, than="b"), 5.0, False),
        (Limit("a", "thread gain", 5, than="b"), 5.0, True),
        (Limit("broken", "ms", 5), None, False),
        (Limit("a", "times faster", 0, than="broken"), None, False),
        (Limit("absent", "ms", 5), None, False),
    ],
)
def test_limits(limit: Limit, measured: float | None, met: bool) -> None:
    case = Case("case", 100_000, "pair", {}, (limit,), moved_bytes=5_000_000)
    rows = [_timing("a", 2.0, error=1e-2), _timing("b", 10.0, is_ours=False), _timing("broken", None)]
    (verdict,) = judge(case, rows)
    assert verdict.measured == pytest.approx(measured)
    assert verdict.met is met
    text = verdict_table([vars(verdict)])
    assert text.startswith(f"{int(met)} of 1 met.")
    assert ("| met |" in text) is met
    assert ("not measured" in text) is (measured is None)


def test_tables_show_losses_and_failures() -> None:
    rows = [_timing("first", 2.0, error=0.0), _timing("peer", 1.0, is_ours=False), _timing("gone", None, is_ours=False)]
    case = {
        "name": "a case", "items": 1000, "unit": "item", "moved_bytes": 2_000_000, "error_name": "greatest error",
        "timings": [vars(row) for row in rows],
    }  # fmt: skip
    text = case_tables([case])
    assert "| **first** | 1 | 2 ms | 2 ms to 2 ms | 2 µs |  | 1 GB/s | 0 |" in text
    assert "| peer | 1 | 1 ms | 1 ms to 1 ms | 1 µs | 0.50x | 2 GB/s |  |" in text
    assert "failed: broken" in text
    assert "| a case | peer | 1 | first | 2.00x |" in losses([case])
    case["timings"] = case["timings"][:1]
    assert "In no case" in losses([case])


def test_a_wrong_pair_misses() -> None:
    rows = [Accuracy(name, "float64", name != "peer", 9, wrong, 0, 0, 0.1, "") for name, wrong in
            (("right", 0), ("off", 1), ("peer", 5))]  # fmt: skip
    verdicts = judge_accuracy(rows)
    assert [(v.contestant, v.measured, v.met) for v in verdicts] == [("right", 0, True), ("off", 1, False)]
    assert "| 9 adversarial pairs | off | ≤ 0 wrong | 1 wrong | **missed** |" in verdict_table(
        [vars(v) for v in verdicts]
    )


def test_accuracy_outside_a_checkout() -> None:
    assert "come with the sources" in accuracy_table(None)
