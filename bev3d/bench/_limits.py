"""Whether what was asked is met, computed from the times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bev3d.bench._accuracy import Accuracy
from bev3d.bench._case import Case, Limit
from bev3d.bench._cuda_race import CudaTiming
from bev3d.bench._race import Timing

__all__ = ["Verdict", "judge", "judge_accuracy"]

_LEAST = {"GB/s", "times faster", "thread gain", "share of copying"}


@dataclass(frozen=True)
class Verdict:
    """A limit beside the number.

    Attributes:
        measured: of the medians; None where a contestant is absent or failed.
        met: False where nothing was measured.
    """

    case: str
    contestant: str
    quantity: str
    than: str | None
    bound: float
    at_least: bool
    measured: float | None
    met: bool


def judge(case: Case, timings: Sequence[Timing], copy_rate: float = 0.0) -> list[Verdict]:
    """One verdict for each limit of the case; ``copy_rate``: GB/s of a copy on the device."""
    rows = {timing.contestant: timing for timing in timings}
    return [_verdict(case, limit, rows, copy_rate) for limit in case.limits]


def judge_accuracy(rows: Sequence[Accuracy]) -> list[Verdict]:
    """None of our pairs may be wrong."""
    return [
        Verdict(
            f"{row.pairs:,} adversarial pairs", row.contestant, "wrong pairs", None, 0, False, row.wrong, not row.wrong
        )
        for row in rows
        if row.ours
    ]


def _verdict(case: Case, limit: Limit, rows: dict[str, Timing], copy_rate: float) -> Verdict:
    measured = _measure(case, limit, rows, copy_rate)
    at_least = limit.quantity in _LEAST
    met = measured is not None and (measured >= limit.bound if at_least else measured <= limit.bound)
    return Verdict(case.name, limit.contestant, limit.quantity, limit.than, limit.bound, at_least, measured, met)


def _measure(case: Case, limit: Limit, rows: dict[str, Timing], copy_rate: float) -> float | None:
    row, other = rows.get(limit.contestant), rows.get(limit.than or "")
    if row is None or row.median_ms is None:
        return None
    if isinstance(row, CudaTiming) and limit.quantity in ("times the floor", "share of copying", "µs of the host"):
        return _measure_on_device(case, limit, row, other, copy_rate)
    if limit.quantity == "error":
        return row.error
    if limit.quantity == "ms":
        return row.median_ms
    if limit.quantity == "ns an item":
        return row.median_ms * 1e6 / case.items
    if limit.quantity == "GB/s":
        return None if case.moved_bytes is None else case.moved_bytes / row.median_ms / 1e6
    return None if other is None or other.median_ms is None else other.median_ms / row.median_ms


def _measure_on_device(
    case: Case, limit: Limit, row: CudaTiming, other: Timing | None, copy_rate: float
) -> float | None:
    if limit.quantity == "µs of the host":
        return row.host_us
    if row.device_ms is None:
        return None
    if limit.quantity == "share of copying":
        return case.moved_bytes / row.device_ms / 1e6 / copy_rate if case.moved_bytes and copy_rate else None
    known = isinstance(other, CudaTiming) and other.device_ms
    return row.device_ms / known if known else None
