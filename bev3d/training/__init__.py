"""Training runs and prediction."""

from bev3d.training._augment import augment
from bev3d.training._batch_norm import SynchronisedBatchNorm, synchronise_batch_norm
from bev3d.training._batches import TrainingBatch, TrainingBatches, prefetch
from bev3d.training._checkpoint import Checkpoint, load_checkpoint
from bev3d.training._clock import StageClock
from bev3d.training._detect import detect, load_detector
from bev3d.training._ema import WeightAverage
from bev3d.training._evaluate import Evaluate, evaluate_on
from bev3d.training._failures import OutOfMemoryError, SampleError
from bev3d.training._heatmaps import PredictedHeatmap, heatmaps
from bev3d.training._interrupt import TrainingInterrupted
from bev3d.training._paste import database_folder, make_paste
from bev3d.training._plot import loss_curves
from bev3d.training._postprocess import postprocess
from bev3d.training._predict import predict
from bev3d.training._sampler import RankSampler, Sampler
from bev3d.training._state import build_optimiser
from bev3d.training._train import TrainResult, train
from bev3d.training._views import make_views
from bev3d.training._watch import DivergedError

__all__ = [
    "Checkpoint",
    "DivergedError",
    "Evaluate",
    "OutOfMemoryError",
    "PredictedHeatmap",
    "RankSampler",
    "SampleError",
    "Sampler",
    "StageClock",
    "SynchronisedBatchNorm",
    "TrainResult",
    "TrainingBatch",
    "TrainingBatches",
    "TrainingInterrupted",
    "WeightAverage",
    "augment",
    "build_optimiser",
    "database_folder",
    "detect",
    "evaluate_on",
    "heatmaps",
    "load_checkpoint",
    "load_detector",
    "loss_curves",
    "make_paste",
    "make_views",
    "postprocess",
    "predict",
    "prefetch",
    "synchronise_batch_norm",
    "train",
]
