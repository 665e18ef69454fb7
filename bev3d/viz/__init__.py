"""Pictures of samples, detections and targets: matplotlib figures, Open3D renders, a page for the browser, a report."""

from bev3d.viz._bev import bev_figure, overview_figure
from bev3d.viz._figure import save_figure
from bev3d.viz._layer import HeatmapLayer, heatmap_layer
from bev3d.viz._style import class_colours

__all__ = ["HeatmapLayer", "bev_figure", "class_colours", "heatmap_layer", "overview_figure", "save_figure"]
