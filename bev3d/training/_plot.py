"""The losses of a run as curves and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bev3d.viz import loss_figure, save_figure

__all__ = ["loss_curves", "plot_losses"]


def loss_curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every term by name, the total first; empty without rows.

    Args:
        rows: as ``losses.jsonl`` holds them.
    """
    names = sorted(rows[-1]["losses"], key=lambda name: name != "total") if rows else []
    return {name: ([row["step"] for row in rows], [row["losses"][name] for row in rows]) for name in names}


def plot_losses(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw every term against the step into a PNG, the losses on a logarithmic axis; no picture without rows."""
    if rows:
        save_figure(loss_figure(loss_curves(rows)), path)
