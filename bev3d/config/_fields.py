"""Every setting of a run: the settings by theme, joined into one flat record."""

from __future__ import annotations

from dataclasses import dataclass

from bev3d.config._augment import AugmentConfig
from bev3d.config._data import DataConfig
from bev3d.config._grid import GridConfig, TargetConfig
from bev3d.config._loss import LossConfig
from bev3d.config._model import ModelConfig
from bev3d.config._predict import PredictConfig
from bev3d.config._refuse import check_positive
from bev3d.config._training import OptimiserConfig

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "GridConfig",
    "LossConfig",
    "ModelConfig",
    "OptimiserConfig",
    "PredictConfig",
    "TargetConfig",
]


@dataclass(frozen=True, kw_only=True)
class Config(
    PredictConfig, AugmentConfig, OptimiserConfig, LossConfig, ModelConfig, TargetConfig, GridConfig, DataConfig
):
    """One run: data, grid, targets, network, loss, training, augmentation and prediction in one flat record.

    Raises:
        ConfigError: a value that cannot be, with the key, what is expected and what came.
    """

    def __post_init__(self) -> None:
        self.check_data()
        check_positive(self, "stride")
        self.check_model(self.stride)
        self.check_grid(self.deepest_stride(self.stride), self.encoder)
        self.check_targets(len(self.class_names), self.head)
        self.check_loss(self.head, self.iou_head)
        self.check_training()
        self.check_augmentation(len(self.class_names))
        self.check_prediction(len(self.class_names), self.range_m)
