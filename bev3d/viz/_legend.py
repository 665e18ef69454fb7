"""Header and legend of a bird's-eye-view figure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bev3d.boxes import Box
from bev3d.data._sample import Sample
from bev3d.viz._draw import motion_lines
from bev3d.viz._layer import HeatmapLayer
from bev3d.viz._scene import BoxSet
from bev3d.viz._style import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_header", "draw_legend", "legend_entries", "legend_height"]


def draw_header(
    figure: Figure,
    sample: Sample,
    truth: BoxSet,
    found: BoxSet,
    *,
    extent: tuple[float, float, float, float],
    threshold: float | None,
    title: str | None,
    theme: Theme,
) -> None:
    """Two lines at the top left: what is shown, and how much of it, with what lies outside the extent."""
    left = 0.55 / figure.get_figwidth()
    height = figure.get_figheight()
    figure.text(left, 1 - 0.27 / height, title or sample.token, color=theme.text, fontsize=11, weight="bold")
    parts = [f"{len(sample.points):,} points"]
    parts.append(_counted(len(truth), "ground-truth box", "ground-truth boxes") + _outside(truth, extent))
    if threshold is not None:
        detections = _counted(len(found), "detection", "detections")
        parts.append(f"{detections} with score ≥ {threshold:g}{_outside(found, extent)}")
    figure.text(left, 1 - 0.47 / height, "  ·  ".join(parts), color=theme.muted, fontsize=8)


def _outside(shown: BoxSet, extent: tuple[float, float, float, float]) -> str:
    centres = shown.boxes[:, Box.BEV_CENTRE]
    count = int(((centres < extent[:2]) | (centres > extent[2:])).any(axis=1).sum())
    return f" ({count} out of view)" if count else ""


def legend_entries(sample: Sample, truth: BoxSet, found: BoxSet, layer: HeatmapLayer | None, theme: Theme) -> list[Any]:
    """Handles for the classes that occur, with the number of their ground-truth boxes, and for the line styles."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    counts = Counter(truth.names)
    colours = dict(zip(truth.names + found.names, truth.colours + found.colours, strict=True))
    order = [*sample.class_names, *sorted(colours.keys() - set(sample.class_names))]
    handles: list[Any] = [
        Patch(fc=(colours[name], 0.3), ec=colours[name], lw=1.1, label=_class_label(name, counts[name]))
        for name in order
        if name in colours
    ]
    ink = theme.text
    if len(truth):
        handles.append(Line2D([], [], color=ink, lw=1.1, label="ground truth with heading"))
    if len(found):
        handles.append(Line2D([], [], color=ink, lw=1.1, ls=(0, (3.2, 1.6)), label="detection with score"))
    if len(motion_lines(truth.boxes)[0]):
        handles.append(Line2D([], [], color=ink, lw=0.9, ls=(0, (1, 1.2)), label="motion in 1 s"))
    if layer is not None:
        ring: dict[str, Any] = {"color": ink, "marker": "o", "mfc": "none", "mew": 0.7, "ms": 5, "ls": "none"}
        handles.append(Line2D([], [], label=f"peak ({layer.kind})", **ring))
        arrow: dict[str, Any] = {"color": theme.offset, "marker": r"$\nearrow$", "ms": 7, "ls": "none"}
        handles.append(Line2D([], [], label="offset: cell corner to centre", **arrow))
    return handles


def legend_height(width_in: float, entries: int) -> float:
    """Height of the legend in inches."""
    return 0.12 + 0.165 * -(-entries // _columns(width_in))


def draw_legend(figure: Figure, entries: list[Any], theme: Theme) -> None:
    """The legend along the lower edge."""
    width, height = figure.get_size_inches()
    legend = figure.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(0.5 / width, 0.06 / height), ncols=_columns(width),
        frameon=False, fontsize=7.5, labelcolor=theme.muted, handlelength=1.6, columnspacing=1.4, borderaxespad=0,
        labelspacing=0.45, borderpad=0,
    )  # fmt: skip
    legend.set_gid("legend")


def _columns(width_in: float) -> int:
    return max(1, int(width_in / 1.85))


def _class_label(name: str, count: int) -> str:
    return f"{name.replace('_', ' ')}  {count}" if count else name.replace("_", " ")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
