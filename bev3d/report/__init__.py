"""One page about a training run: scores, losses, pictures, a viewer."""

from bev3d.report._pictures import predicted_layer
from bev3d.report._score import Score, score_predictions
from bev3d.report._targets import about_targets, target_layer
from bev3d.report._write import write_report

__all__ = ["Score", "about_targets", "predicted_layer", "score_predictions", "target_layer", "write_report"]
