"""Histograms of an audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d.audit._report import COLUMNS, AuditReport
from bev3d.boxes import Box
from bev3d.targets import BoxAudit
from bev3d.viz import class_colours
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._style import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["count_figure", "number_figure", "size_figure"]

WIDTH_IN = 9.0
# ways to end without a target in the dark and the light theme; no colour of a class
LOST = {
    "out_of_range": ("#465364", "#a9b4c0"),
    "too_few_points": ("#8b97a5", "#d3dae1"),
    "over_max_objects": ("#d7dde4", "#6d7b89"),
    "non_finite": ("#e5484d", "#c62a2f"),
}


def count_figure(report: AuditReport, *, theme: str = "dark") -> Figure:
    """Boxes of each class as a bar: with a target, and what became of the others."""
    look = theme_named(theme)
    counts = report.boxes.counts()
    names = [name for name in report.boxes.class_names if counts[name]["boxes"]]
    height = 0.95 + 0.3 * max(len(names), 1)
    figure = new_figure(WIDTH_IN, height, look)
    axes = figure.add_axes((0.2, 0.5 / height, 0.77, 1 - 0.95 / height))
    _style(axes, look)
    colours = class_colours(names, theme=theme)
    rows = np.arange(len(names))
    left = np.array([counts[name]["kept"] for name in names], dtype=np.float64)
    axes.barh(rows, left, height=0.62, color=[colours[name] for name in names])
    for flaw, colour in LOST.items():
        part = np.array([counts[name][flaw] for name in names], dtype=np.float64)
        if part.sum():
            label = COLUMNS[flaw]
            axes.barh(rows, part, left=left, height=0.62, color=colour[theme == "light"], label=label)
            left = left + part
    for row, name in zip(rows, names, strict=True):
        kept, boxes = counts[name]["kept"], counts[name]["boxes"]
        text = f" {boxes:,}" if kept == boxes else f" {kept:,} of {boxes:,}"
        axes.text(left[row], row, text, va="center", fontsize=7.5, color=look.text)
    axes.set_yticks(rows, [name.replace("_", " ") for name in names])
    axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, 1.14 * max(left.max(initial=0), 1)), xlabel="boxes")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0, labelsize=8)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(
            loc="upper right", ncols=4, frameon=False, fontsize=7.5, labelcolor=look.muted,
            bbox_to_anchor=(0.98, 1.0),
        )  # fmt: skip
    _title(figure, "Boxes by class, in full colour those with a target", 0.2, look)
    return figure


def size_figure(report: AuditReport, *, theme: str = "dark") -> Figure:
    """Length, width and height by class, on one logarithmic scale; outliers as ticks below the bars."""
    look = theme_named(theme)
    boxes = report.boxes
    sound = ~boxes.flaws["non_finite"] & (boxes.label >= 0)
    present = [i for i in range(len(boxes.class_names)) if (sound & (boxes.label == i)).any()]
    rows = max(len(present), 1)
    height = 0.75 + 0.62 * rows
    figure = new_figure(WIDTH_IN, height, look)
    names = [boxes.class_names[i] for i in present]
    colours = class_colours(names, theme=theme)
    sizes = boxes.boxes[sound][:, Box.SIZE]
    low, high = (0.1, 20.0) if not len(sizes) else (0.8 * sizes.min(), 1.25 * sizes.max())
    bins = np.geomspace(low, high, 90)
    panel = (1 - 0.9 / height) / rows
    for row in range(rows):
        for column, what in enumerate(("length", "width", "height")):
            bottom = 0.5 / height + (rows - 1 - row) * panel
            axes = figure.add_axes((0.17 + 0.275 * column, bottom + 0.14 * panel, 0.255, 0.8 * panel))
            _size_axes(axes, look, low, high, f"{what} (m)" if row == rows - 1 else "")
            if row < len(present):
                mine = sound & (boxes.label == present[row])
                values = boxes.boxes[mine][:, Box.LENGTH + column]
                _size_bars(axes, values, boxes.flaws["size_outlier"][mine], bins, colours[names[row]])
            if row < len(present) and column == 0:
                name, at = names[row].replace("_", " "), axes.transAxes
                axes.text(-0.08, 0.5, name, transform=at, ha="right", va="center", fontsize=8, color=look.text)
    odd_ones = int(boxes.flaws["size_outlier"].sum())
    _title(
        figure, "Sizes by class" + (f", {odd_ones} boxes far from their class in red" if odd_ones else ""), 0.17, look
    )
    return figure


def _size_axes(axes: Axes, look: Theme, low: float, high: float, label: str) -> None:
    _style(axes, look)
    axes.grid(axis="y", visible=False)
    axes.set(xscale="log", xlim=(low, high), yticks=[])
    axes.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    axes.minorticks_off()
    if label:
        axes.set_xlabel(label)
    else:
        axes.tick_params(labelbottom=False)


def _size_bars(
    axes: Axes, values: NDArray[np.float64], odd: NDArray[np.bool_], bins: NDArray[np.float64], colour: str
) -> None:
    axes.hist(values, bins=bins.tolist(), color=colour)
    if odd.any():
        top = axes.get_ylim()[1]
        axes.plot(values[odd], np.full(odd.sum(), -0.07 * top), "|", ms=5, color="#e5484d", clip_on=False)
        axes.set_ylim(-0.14 * top, top)


def number_figure(report: AuditReport, *, theme: str = "dark") -> Figure:
    """Points per box, radius that the rule asks for, decode error, and where it is known heading against velocity."""
    look = theme_named(theme)
    boxes = report.boxes
    least = report.config.min_radius
    panels: list[tuple[Callable[..., None], str]] = [
        (_points_panel, "Points in a box"),
        (_radius_panel, f"Radius asked for (cells); the least is {least}"),
        (_error_panel, "Decode error (m, rad, m/s)"),
    ]
    if np.isfinite(boxes.motion_angle_rad).any():
        panels.append((_angle_panel, "Heading against velocity (degrees)"))
    columns = 2
    rows = -(-len(panels) // columns)
    height = 0.25 + 2.5 * rows
    figure = new_figure(WIDTH_IN, height, look)
    for i, (draw, title) in enumerate(panels):
        left, bottom = 0.075 + 0.485 * (i % columns), (0.5 + 2.5 * (rows - 1 - i // columns)) / height
        axes = figure.add_axes((left, bottom, 0.425, 1.75 / height))
        _style(axes, look)
        draw(axes, boxes, theme, report)
        axes.set_title(title, loc="left", fontsize=9, color=look.text, weight="bold")
    present = [name for i, name in enumerate(boxes.class_names) if (boxes.label == i).any()]
    colours = class_colours(present, theme=theme)
    handles = [_patch(colours[name], name.replace("_", " ")) for name in present]
    if handles:
        figure.legend(
            handles=handles, loc="lower center", ncols=min(len(handles), 10), frameon=False, fontsize=7,
            labelcolor=look.muted, bbox_to_anchor=(0.5, -0.005), handlelength=0.9, columnspacing=1.1,
        )  # fmt: skip
    return figure


def _points_panel(axes: Axes, boxes: BoxAudit, theme: str, report: AuditReport) -> None:
    known = boxes.num_points >= 0
    if not known.any():
        axes.text(
            0.5, 0.5, "not recorded, no scans", transform=axes.transAxes, ha="center", color=theme_named(theme).muted
        )
        return
    # 0 has a bar of its own at the left end of the logarithmic scale
    steps = np.unique(np.round(np.geomspace(1, max(2.0, 1.05 * boxes.num_points.max()), 26)))
    edges = np.concatenate([[0.3, 0.6], steps - 0.15])
    values = np.where(boxes.num_points > 0, boxes.num_points, 0.45)
    _stacked(axes, boxes, values, known, edges, theme)
    axes.set(xscale="log", ylabel="boxes")
    ticks = [0.425, *[10.0**k for k in range(int(np.log10(edges[-1])) + 1)]]
    axes.set_xticks(ticks, ["0", *[f"{tick:,.0f}" for tick in ticks[1:]]])
    axes.minorticks_off()


def _radius_panel(axes: Axes, boxes: BoxAudit, theme: str, report: AuditReport) -> None:
    usable = np.isfinite(boxes.radius_cells) & boxes.kept
    least = report.config.min_radius
    top = max(least + 1.0, float(boxes.radius_cells[usable].max(initial=0)) * 1.05)
    _stacked(axes, boxes, boxes.radius_cells, usable, np.linspace(0, top, 40), theme)
    axes.axvline(least, color="#e5484d", lw=1.2, ls=(0, (3, 2)))
    axes.set_ylabel("boxes")


def _error_panel(axes: Axes, boxes: BoxAudit, theme: str, report: AuditReport) -> None:
    usable = np.isfinite(boxes.decode_error)
    values = np.maximum(boxes.decode_error, 1e-9)
    worst = max(1e-5, float(values[usable].max(initial=0)))
    _stacked(axes, boxes, values, usable, np.geomspace(1e-9, 2 * worst, 50), theme)
    axes.set(xscale="log", ylabel="boxes")
    axes.axvline(1e-5, color="#e5484d", lw=1.2, ls=(0, (3, 2)))


def _angle_panel(axes: Axes, boxes: BoxAudit, theme: str, report: AuditReport) -> None:
    usable = np.isfinite(boxes.motion_angle_rad)
    _stacked(axes, boxes, np.degrees(boxes.motion_angle_rad), usable, np.linspace(0, 180, 37), theme)
    axes.axvline(np.degrees(report.rules.heading_angle_rad), color="#e5484d", lw=1.2, ls=(0, (3, 2)))
    axes.set(xlim=(0, 180), xticks=range(0, 181, 45), ylabel="boxes", yscale="symlog")
    axes.set_ylim(bottom=0)


def _stacked(
    axes: Axes,
    boxes: BoxAudit,
    values: NDArray[np.floating],
    usable: NDArray[np.bool_],
    edges: Sequence[float] | NDArray[np.float64],
    theme: str,
) -> None:
    """Histogram with one colour a class."""
    names = boxes.class_names
    present = [i for i in range(len(names)) if (boxes.label == i).any()]
    colours = class_colours([names[i] for i in present], theme=theme)
    parts = [values[usable & (boxes.label == i)] for i in present]
    if parts:
        axes.hist(parts, bins=[float(edge) for edge in edges], stacked=True, color=[colours[names[i]] for i in present])


def _style(axes: Axes, look: Theme) -> None:
    style_axes(axes, look)
    axes.grid(color=look.grid, lw=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _title(figure: Figure, text: str, left: float, look: Theme) -> None:
    height = figure.get_size_inches()[1]
    figure.text(left, 1 - 0.26 / height, text, color=look.text, fontsize=10, weight="bold")


def _patch(colour: str, label: str) -> object:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)
