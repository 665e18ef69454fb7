"""Pictures of samples, detections and targets: matplotlib figures, Open3D renders, a page for the browser, a report."""

from bev3d.viz._bev import bev_figure, overview_figure
from bev3d.viz._curves import loss_figure, precision_recall_figure, score_figure
from bev3d.viz._diagrams import confusion_figure, gain_figure, interval_figure
from bev3d.viz._figure import save_figure
from bev3d.viz._html import write_html
from bev3d.viz._layer import HeatmapLayer, heatmap_layer
from bev3d.viz._open3d import Availability, has_display, have_open3d, render_open3d, show_open3d
from bev3d.viz._panels import panel_figure
from bev3d.viz._style import class_colours
from bev3d.viz._view import view
from bev3d.viz.report import Page

__all__ = [
    "Availability",
    "HeatmapLayer",
    "Page",
    "bev_figure",
    "class_colours",
    "confusion_figure",
    "gain_figure",
    "has_display",
    "have_open3d",
    "heatmap_layer",
    "interval_figure",
    "loss_figure",
    "overview_figure",
    "panel_figure",
    "precision_recall_figure",
    "render_open3d",
    "save_figure",
    "score_figure",
    "show_open3d",
    "view",
    "write_html",
]
