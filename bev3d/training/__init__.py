"""Training runs and prediction."""

from bev3d.training._augment import augment
from bev3d.training._clock import StageClock
from bev3d.training._detect import detect, load_detector
from bev3d.training._heatmaps import PredictedHeatmap, heatmaps
from bev3d.training._paste import database_folder, make_paste
from bev3d.training._plot import loss_curves
from bev3d.training._postprocess import postprocess
from bev3d.training._predict import predict
from bev3d.training._step import DivergedError
from bev3d.training._train import TrainResult, train
from bev3d.training._views import make_views

__all__ = [
    "DivergedError",
    "PredictedHeatmap",
    "StageClock",
    "TrainResult",
    "augment",
    "database_folder",
    "detect",
    "heatmaps",
    "load_detector",
    "loss_curves",
    "make_paste",
    "make_views",
    "postprocess",
    "predict",
    "train",
]
