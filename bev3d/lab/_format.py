"""Numbers and tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["joined", "number", "percent", "small", "table"]


def percent(share: float | None) -> str:
    """``"50 %"``, with a decimal close to 0 and 100, which only exact ones are; a dash where there is no share."""
    if share is None:
        return "-"
    exact = 100 * share
    if exact in (0, 100) or 1 <= exact <= 99:
        return f"{exact:.0f} %"
    return f"{min(max(exact, 0.1), 99.9):.1f} %"


def number(value: float | None) -> str:
    """A count of steps; a dash where nobody got there."""
    return "-" if value is None else f"{value:.0f}"


def small(value: float | None, factor: float = 1, unit: str = "") -> str:
    """An error times ``factor``, in two digits; all below 0.001 are alike."""
    if value is None:
        return "-"
    return f"< 0.001{unit}" if value * factor < 1e-3 else f"{value * factor:.2g}{unit}"


def joined(words: Sequence[str]) -> str:
    """``"a, b and c"``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
