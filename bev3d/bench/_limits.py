"""Whether what was asked is met, computed from the times."""

from __future__ import annotations

from dataclasses import dataclass

from bev3d.bench._case import Case, Limit
from bev3d.bench._race import Timing

__all__ = ["Verdict", "judge"]

_LEAST = {"GB/s", "times faster", "thread gain"}


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


def judge(case: Case, timings: list[Timing]) -> list[Verdict]:
    """One verdict for each limit of the case."""
    rows = {timing.contestant: timing for timing in timings}
    return [_verdict(case, limit, rows) for limit in case.limits]


def _verdict(case: Case, limit: Limit, rows: dict[str, Timing]) -> Verdict:
    measured = _measure(case, limit, rows)
    at_least = limit.quantity in _LEAST
    met = measured is not None and (measured >= limit.bound if at_least else measured <= limit.bound)
    return Verdict(case.name, limit.contestant, limit.quantity, limit.than, limit.bound, at_least, measured, met)


def _measure(case: Case, limit: Limit, rows: dict[str, Timing]) -> float | None:
    row, other = rows.get(limit.contestant), rows.get(limit.than or "")
    if row is None or row.median_ms is None:
        return None
    if limit.quantity == "error":
        return row.error
    if limit.quantity == "ms":
        return row.median_ms
    if limit.quantity == "ns an item":
        return row.median_ms * 1e6 / case.items
    if limit.quantity == "GB/s":
        return None if case.moved_bytes is None else case.moved_bytes / row.median_ms / 1e6
    return None if other is None or other.median_ms is None else other.median_ms / row.median_ms
