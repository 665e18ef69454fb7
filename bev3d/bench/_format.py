"""Numbers and rows as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["bytes_rate", "duration", "each", "error_text", "markdown_table", "ratio", "short"]


def short(value: float) -> str:
    """Three digits."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1e-2:
        return f"{value:.3g}"
    return f"{value:.0e}".replace("e-0", "e-")


def duration(ms: float) -> str:
    """Milliseconds with a fitting unit."""
    if ms < 1e-3:
        return f"{short(ms * 1e6)} ns"
    if ms < 1:
        return f"{short(ms * 1e3)} µs"
    return f"{short(ms)} ms" if ms < 10_000 else f"{short(ms / 1e3)} s"


def each(ms: float, items: int) -> str:
    """Time of one item."""
    return duration(ms / max(items, 1))


def ratio(value: float) -> str:
    """How many times."""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.2g}x" if value >= 10 else f"{value:.2f}x"


def bytes_rate(moved: int, ms: float) -> str:
    """GB/s."""
    return f"{short(moved / ms / 1e6)} GB/s"


def error_text(error: float | None) -> str:
    """A distance from the truth; empty where none is known."""
    if error is None:
        return ""
    return f"{error:,.0f}" if error == 0 or error >= 1 else f"{error:.0e}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers are the caller's to format."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
