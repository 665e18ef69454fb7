"""The loss curve as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bev3d._files import atomic_path

__all__ = ["plot_losses"]


def plot_losses(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw every term against the step, the losses on a logarithmic axis; no picture without rows.

    Args:
        rows: as :class:`LossLog` keeps them.
        path: PNG to write.
    """
    if not rows:
        return
    # the figure object itself, not pyplot: no global state, no window system
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    for name in rows[-1]["losses"]:
        shown = [(row["step"], row["losses"][name]) for row in rows if row["losses"].get(name, 0) > 0]
        if shown:
            bold = name == "total"
            axes.plot(
                *zip(*shown, strict=True), label=name, linewidth=2 if bold else 1, color="black" if bold else None
            )
    axes.grid(visible=True, which="both", linewidth=0.3, alpha=0.6)
    if axes.lines:
        axes.legend(loc="upper right", fontsize=8, ncols=2, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
