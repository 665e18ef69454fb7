"""Every setting of a run, by theme; ``Config`` joins them into one flat record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bev3d._errors import ConfigError

__all__ = [
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
class DataConfig:
    """What is read."""

    dataset: Literal["nuscenes", "kitti"]
    """Layout of the folder given as dataroot."""
    version: str = "v1.0-mini"
    """nuScenes: name of the folder with the tables."""
    train_split: str = "mini_train"
    """nuScenes: a split of the devkit or of splits.json; KITTI: a file of ImageSets without its ending."""
    val_split: str = "mini_val"
    """Split that is predicted and evaluated."""
    sweeps: int = 5
    """LiDAR sweeps merged into one sample, the key frame included."""
    frame: Literal["lidar", "level"] = "lidar"
    """nuScenes: frame of points and boxes; 'level' turns the LiDAR frame upright, in which boxes lose no tilt."""
    tasks: tuple[tuple[str, ...], ...]
    """Class names in groups; each group has its own heatmap. Their concatenation is the list of classes."""
    min_points_per_box: int = 1
    """Ground-truth boxes with fewer LiDAR points are left out of training (not of evaluation)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """All classes, in the order of the labels."""
        return tuple(name for task in self.tasks for name in task)


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """The bird's-eye-view grid."""

    range_m: tuple[float, float, float, float, float, float]
    """x0, y0, z0, x1, y1, z1 in metres."""
    voxel_size_m: tuple[float, float, float]
    """Size of a pillar or voxel along x, y, z in metres."""
    stride: int = 2
    """Input cells per output cell."""

    @property
    def grid_size(self) -> tuple[int, int]:
        """Input cells along x and y."""
        cells = [(self.range_m[i + 3] - self.range_m[i]) / self.voxel_size_m[i] for i in range(2)]
        return round(cells[0]), round(cells[1])

    @property
    def output_size(self) -> tuple[int, int]:
        """Output cells along x and y."""
        columns, rows = self.grid_size
        return columns // self.stride, rows // self.stride


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Heatmap targets."""

    radius: Literal["cornernet", "legacy", "sqrt_area", "oriented"] = "cornernet"
    """Rule for the radius of the Gaussians; oriented: ellipses along the heading."""
    min_overlap: float = 0.1
    """Overlap with the box that the radius guarantees."""
    min_radius: int = 2
    """Smallest radius, output cells."""
    max_objects: int = 500
    """Most objects of a task in a sample."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network."""

    encoder: Literal["height_slices"] = "height_slices"
    """What turns points into a bird's-eye-view image."""
    height_slices: int = 8
    """Slices of z in which a pillar counts its points."""
    channels: tuple[int, ...] = (32, 48, 64)
    """Channels of the backbone's levels; each halves the resolution."""
    blocks: tuple[int, ...] = (1, 1, 1)
    """3 x 3 convolutions a level, after the one that halves the resolution."""
    lateral_channels: int = 32
    """Channels to which each level is brought before they are joined."""
    head_channels: int = 32
    """Channels of the shared layer in front of the heads."""


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The loss and its terms."""

    heatmap_weight: float = 1.0
    """Weight of the heatmap focal loss."""
    regression_weight: float = 0.25
    """Weight of the sum over the named regression terms."""
    offset_weight: float = 1.0
    """Weight of the sub-cell offset within the regression."""
    height_weight: float = 1.0
    """Weight of z."""
    log_size_weight: float = 1.0
    """Weight of the log sizes."""
    heading_weight: float = 1.0
    """Weight of sin and cos of the yaw."""
    velocity_weight: float = 0.2
    """Weight of the velocity; components that are NaN in the target do not count."""
    iou_weight: float = 0.0
    """Weight of the rotated overlap loss on the decoded boxes; 0 turns it off."""
    iou_kind: Literal["iou", "giou", "diou"] = "diou"
    """Which overlap loss."""
    corner_weight: float = 0.0
    """Weight of the corner loss on the decoded boxes; 0 turns it off."""

    @property
    def regression_weights(self) -> Mapping[str, float]:
        """Weights of the regression terms by name."""
        names = ("offset", "height", "log_size", "heading", "velocity")
        return {name: getattr(self, f"{name}_weight") for name in names}


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Training."""

    batch_size: int = 2
    """Samples a step."""
    epochs: float = 2.0
    """Passes over the training split; a fraction is allowed."""
    learning_rate: float = 6e-3
    """Peak of the one-cycle schedule (AdamW)."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    gradient_clip: float = 10.0
    """Largest norm of the gradient."""
    flip: bool = False
    """Mirror training samples at random: across x for KITTI's forward view, across both axes otherwise."""
    rotate_rad: float = 0.0
    """Turn training samples by a random angle in ± this."""
    scale_range: float = 0.0
    """Scale training samples by a random factor in 1 ± this."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the network in training; auto: bfloat16 where the processor has instructions for it."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    checkpoint_every_steps: int = 200
    """Steps between checkpoints; the last step always writes one."""
    log_every_steps: int = 10
    """Steps between lines of the log."""


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """From network outputs to boxes."""

    score_threshold: float = 0.05
    """Peaks below it are left out."""
    max_detections: int = 200
    """Most boxes a sample, best scores first (nuScenes allows 500)."""
    peak_window: tuple[int, ...] = (3,)
    """Side of the window, in output cells, in which a peak is the largest, by class or one for all; odd, and 1 for
    small classes that stand in neighbouring cells."""
    nms: Literal["none", "circle", "bev"] = "circle"
    """Suppression after the peak search: by centre distance, or by rotated BEV IoU."""
    nms_radius_m: tuple[float, ...] = (1.0,)
    """Circle suppression radius by class in metres, or one for all."""
    nms_iou: float = 0.2
    """Threshold of the BEV IoU."""


@dataclass(frozen=True, kw_only=True)
class Config(PredictConfig, OptimiserConfig, LossConfig, ModelConfig, TargetConfig, GridConfig, DataConfig):
    """One run: data, grid, targets, network, loss, training and prediction in one flat record.

    Raises:
        ConfigError: a value that cannot be, with the key, what is expected and what came.
    """

    def __post_init__(self) -> None:
        for i, axis in enumerate("xyz"):
            if not self.range_m[i] < self.range_m[i + 3]:
                _refuse("range_m", f"{axis}0 < {axis}1", self.range_m)
            if not self.voxel_size_m[i] > 0:
                _refuse("voxel_size_m", "three sizes > 0", self.voxel_size_m)
        self._check_grid()
        self._check_classes()
        positive = (
            "sweeps",
            "stride",
            "max_objects",
            "batch_size",
            "epochs",
            "learning_rate",
            "max_detections",
            "height_slices",
            "lateral_channels",
            "head_channels",
            "checkpoint_every_steps",
            "log_every_steps",
            "gradient_clip",
        )
        for key in positive:
            if not getattr(self, key) > 0:
                _refuse(key, "a number > 0", getattr(self, key))
        if not 0 < self.min_overlap < 1:
            _refuse("min_overlap", "a number in (0, 1)", self.min_overlap)
        if len(self.channels) != len(self.blocks):
            _refuse("blocks", f"as many entries as channels ({len(self.channels)})", self.blocks)

    def _check_grid(self) -> None:
        for i, axis in enumerate("xy"):
            cells = (self.range_m[i + 3] - self.range_m[i]) / self.voxel_size_m[i]
            if abs(cells - round(cells)) > 1e-3:
                _refuse(
                    "voxel_size_m",
                    f"a size that divides the range along {axis} into whole cells",
                    f"{cells:.4f} cells",
                )
            deepest = self.stride * 2 ** (len(self.channels) - 1)
            if round(cells) % deepest:
                _refuse("range_m", f"cells along {axis} divisible by {deepest} (stride and levels)", round(cells))

    def _check_classes(self) -> None:
        names = self.class_names
        if not names or any(not task for task in self.tasks):
            _refuse("tasks", "at least one class in every group", self.tasks)
        if len(set(names)) != len(names):
            _refuse("tasks", "every class once", self.tasks)
        if len(self.nms_radius_m) not in (1, len(names)):
            _refuse("nms_radius_m", f"1 or {len(names)} radii", self.nms_radius_m)
        if len(self.peak_window) not in (1, len(names)) or any(side < 1 or side % 2 == 0 for side in self.peak_window):
            _refuse("peak_window", f"1 or {len(names)} odd numbers >= 1", self.peak_window)


def _refuse(key: str, expected: str, value: object) -> None:
    raise ConfigError(f"{key}: expected {expected}, got {value}")
