"""Bird's-eye-view figures of one sample: points, boxes, heatmap with peaks and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bev3d.data._sample import Detections, Sample
from bev3d.viz._details import draw_details
from bev3d.viz._draw import draw_boxes, draw_ground, draw_heatmap, draw_offsets, draw_points, draw_scores
from bev3d.viz._figure import new_figure, style_axes
from bev3d.viz._layer import HeatmapLayer, heatmap_layer
from bev3d.viz._legend import draw_header, draw_legend, legend_entries, legend_height
from bev3d.viz._scene import BoxSet, detection_boxes, ground_height, scene_extent, truth_boxes
from bev3d.viz._style import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bev_figure", "overview_figure"]

Extent = tuple[float, float, float, float]
PANEL_IN = 7.2
HEADER_IN = 0.62
LEFT_IN, GAP_IN, RIGHT_IN = 0.55, 0.55, 0.2
DETAIL_GAP_IN = 0.42
LEAST_WIDTH_IN = 7.5


def bev_figure(
    sample: Sample,
    *,
    detections: Detections | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    title: str | None = None,
    theme: str = "dark",
    point_size: float | None = None,
) -> Figure:
    """One sample from above: points by height, ground truth solid, detections dashed with their score.

    Args:
        sample: points and ground truth; either may be empty.
        detections: drawn where given, those from ``score_threshold`` on.
        targets: ``bev3d.targets.Targets`` of this sample (batch of one); a second panel shows its heatmap.
        heatmap: predicted probabilities (H, W), (C, H, W) or a list by task, or a :class:`HeatmapLayer`; shown
            instead of the targets' heatmap.
        task: show only this group of classes in the heatmap; all where None.
        range_m: (x0, y0, z0, x1, y1, z1) to show, and the grid of the heatmap; chosen from the sample where None.
        score_threshold: lowest score of a detection that is drawn.
        title: first line; the token where None.
        theme: ``"dark"`` or ``"light"``.
        point_size: area of a point in square points; chosen from their number where None.

    Returns:
        A figure on the Agg canvas, for :func:`save_figure`.

    Raises:
        ValueError: a heatmap without its range, or an argument outside what is listed.
    """
    layer = heatmap_layer(targets=targets, heatmap=heatmap, range_m=range_m, task=task)
    look = theme_named(theme)
    truth = truth_boxes(sample, theme=theme)
    found = detection_boxes(detections, score_threshold=score_threshold, theme=theme)
    extent = layer.extent if layer else scene_extent(sample, truth, found, range_m=range_m)
    entries = legend_entries(sample, truth, found, layer, look)
    figure, panels = _panels(extent, 2 if layer else 1, len(entries), look)
    _points_panel(panels[0], sample, truth, found, extent, look, point_size)
    if layer:
        _heatmap_panel(panels[1], sample, truth, layer, look)
    threshold = score_threshold if detections is not None else None
    draw_header(figure, sample, truth, found, extent=extent, threshold=threshold, title=title, theme=look)
    draw_legend(figure, entries, look)
    return figure


def overview_figure(
    sample: Sample,
    *,
    detections: Detections | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    title: str | None = None,
    theme: str = "dark",
) -> Figure:
    """Points and boxes, the heatmap, and close-ups in which cells and offset arrows can be seen.

    Takes the arguments of :func:`bev_figure`; without ``targets`` and ``heatmap`` it is that figure.
    """
    layer = heatmap_layer(targets=targets, heatmap=heatmap, range_m=range_m, task=task)
    if layer is None:
        return bev_figure(
            sample, detections=detections, range_m=range_m, score_threshold=score_threshold, title=title, theme=theme
        )
    look = theme_named(theme)
    truth = truth_boxes(sample, theme=theme)
    found = detection_boxes(detections, score_threshold=score_threshold, theme=theme)
    entries = legend_entries(sample, truth, found, layer, look)
    figure, panels = _panels(layer.extent, 2, len(entries), look, details=True)
    _points_panel(panels[0], sample, truth, found, layer.extent, look, None)
    _heatmap_panel(panels[1], sample, truth, layer, look)
    draw_details(panels[2:], sample, truth, found, layer, look)
    threshold = score_threshold if detections is not None else None
    draw_header(figure, sample, truth, found, extent=layer.extent, threshold=threshold, title=title, theme=look)
    draw_legend(figure, entries, look)
    return figure


def _panels(
    extent: Extent, count: int, legend_entries: int, theme: Theme, *, details: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure whose panels fit the extent, with room for its legend; ``details`` adds a column of close-ups."""
    aspect = float(np.clip((extent[2] - extent[0]) / (extent[3] - extent[1]), 0.4, 2.5))
    panel_h = PANEL_IN if count == 1 else 6.2
    panel_w = panel_h * aspect
    side = (panel_h - 2 * DETAIL_GAP_IN) / 3 - 0.1
    width = LEFT_IN + count * panel_w + (count - 1) * GAP_IN + RIGHT_IN + (side + GAP_IN if details else 0)
    width = max(width, LEAST_WIDTH_IN)
    footer = 0.62 + legend_height(width, legend_entries)
    height = HEADER_IN + panel_h + footer
    figure = new_figure(width, height, theme)
    bounds = [(LEFT_IN + i * (panel_w + GAP_IN), footer, panel_w, panel_h) for i in range(count)]
    if details:
        at = LEFT_IN + count * (panel_w + GAP_IN) - 0.1
        bounds += [(at, footer + i * (side + DETAIL_GAP_IN + 0.05), side, side) for i in (2, 1, 0)]
    axes = [figure.add_axes((x / width, y / height, w / width, h / height)) for x, y, w, h in bounds]
    for one in axes:
        style_axes(one, theme)
    return figure, axes


def _points_panel(
    axes: Axes, sample: Sample, truth: BoxSet, found: BoxSet, extent: Extent, theme: Theme, size: float | None
) -> None:
    draw_ground(axes, extent, theme)
    points = _inside(sample, extent)
    area = float(np.clip(6e4 / max(len(points), 1), 0.25, 2.0)) if size is None else size
    draw_points(axes, points, theme, ground_z=ground_height(sample), size=area)
    draw_boxes(axes, truth.boxes, truth.colours, kind="truth", theme=theme)
    draw_boxes(axes, found.boxes, found.colours, kind="detection", theme=theme, motion=False)
    if found.scores is not None:
        draw_scores(axes, found.boxes, found.scores, found.colours, theme)


def _heatmap_panel(axes: Axes, sample: Sample, truth: BoxSet, layer: HeatmapLayer, theme: Theme) -> None:
    image = draw_heatmap(axes, layer, theme)
    draw_points(axes, _inside(sample, layer.extent)[::4], theme, ground_z=ground_height(sample), size=0.4, alpha=0.5)
    draw_boxes(axes, truth.boxes, [theme.muted] * len(truth), kind="truth", theme=theme, width=0.6, motion=False)
    draw_offsets(axes, layer, theme, marker_size=5, width=1.2)
    draw_ground(axes, layer.extent, theme)
    axes.set_ylabel("")
    bar = axes.inset_axes((0.70, 0.035, 0.27, 0.016))
    scale = axes.figure.colorbar(image, cax=bar, orientation="horizontal", ticks=[0, 0.5, 1])
    scale.outline.set_visible(False)
    bar.tick_params(colors=theme.text, labelsize=6.5, length=0, pad=2)
    bar.xaxis.set_ticks_position("top")


def _inside(sample: Sample, extent: Extent) -> Any:
    x0, y0, x1, y1 = extent
    x, y = sample.points[:, 0], sample.points[:, 1]
    return sample.points[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]
