"""Data sets, read where they lie and given as one kind of sample."""

from bev3d.data._open import open_dataset
from bev3d.data._sample import Dataset, Detections, Sample
from bev3d.data.kitti import KITTI_CLASSES, KittiCalib, KittiDataset
from bev3d.data.nuscenes import DETECTION_CLASSES, NuScenesDataset, NuScenesTables

__all__ = [
    "DETECTION_CLASSES",
    "KITTI_CLASSES",
    "Dataset",
    "Detections",
    "KittiCalib",
    "KittiDataset",
    "NuScenesDataset",
    "NuScenesTables",
    "Sample",
    "open_dataset",
]
