"""Training runs and prediction."""

from bev3d.training._augment import augment
from bev3d.training._heatmaps import PredictedHeatmap, heatmaps
from bev3d.training._plot import loss_curves
from bev3d.training._predict import detect, load_detector, predict
from bev3d.training._step import DivergedError
from bev3d.training._train import TrainResult, train

__all__ = [
    "DivergedError",
    "PredictedHeatmap",
    "TrainResult",
    "augment",
    "detect",
    "heatmaps",
    "load_detector",
    "loss_curves",
    "predict",
    "train",
]
