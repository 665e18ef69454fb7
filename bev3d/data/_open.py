"""The data set that a configuration names."""

from __future__ import annotations

import os
from pathlib import Path

from bev3d._errors import ConfigError, DataFormatError
from bev3d.config import Config
from bev3d.data.kitti import KITTI_CLASSES, KittiDataset
from bev3d.data.nuscenes import DETECTION_CLASSES, NuScenesDataset

__all__ = ["open_dataset"]


def open_dataset(config: Config, dataroot: str | os.PathLike[str], split: str) -> NuScenesDataset | KittiDataset:
    """Open a split of the data set that ``config.dataset`` names.

    Args:
        config: dataset, version, classes, sweeps and frame are used.
        dataroot: folder of the data set.
        split: a split's name, usually ``config.train_split`` or ``config.val_split``.

    Raises:
        DataFormatError: no such folder, or not laid out as the data set should be.
        ConfigError: a class that the data set does not have.
    """
    if not Path(dataroot).is_dir():
        raise DataFormatError(f"dataroot: expected a folder, got {dataroot}, which does not exist")
    known = DETECTION_CLASSES if config.dataset == "nuscenes" else KITTI_CLASSES
    for name in config.class_names:
        if name not in known:
            raise ConfigError(f"tasks: expected classes out of {', '.join(known)}, got {name!r}")
    if config.dataset == "nuscenes":
        return NuScenesDataset(
            dataroot,
            version=config.version,
            split=split,
            class_names=config.class_names,
            sweeps=config.sweeps,
            frame=config.frame,
        )
    return KittiDataset(dataroot, split=split, class_names=config.class_names)
