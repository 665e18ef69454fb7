"""Settings: what is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["DataConfig"]


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
    loader_workers: int = 0
    """Processes that read and prepare samples ahead; they take seconds to start. 0: a thread, which is enough where the
    network runs on the CPU. The results are the same."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """All classes, in the order of the labels."""
        return tuple(name for task in self.tasks for name in task)

    def check_data(self) -> None:
        """Raise where the settings of the data cannot be."""
        check_positive(self, "sweeps")
        if self.loader_workers < 0:
            refuse("loader_workers", "a number >= 0", self.loader_workers)
        names = self.class_names
        if not names or any(not task for task in self.tasks):
            refuse("tasks", "at least one class in every group", self.tasks)
        if len(set(names)) != len(names):
            refuse("tasks", "every class once", self.tasks)
