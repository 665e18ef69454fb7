"""nuScenes without its devkit: tables, splits, samples with merged sweeps."""

from bev3d.data.nuscenes._annotations import GlobalAnnotations, read_annotations
from bev3d.data.nuscenes._classes import DETECTION_CLASS_OF_CATEGORY, DETECTION_CLASSES
from bev3d.data.nuscenes._dataset import NuScenesDataset
from bev3d.data.nuscenes._poses import boxes_to_global, invert_rigid, pose_matrix
from bev3d.data.nuscenes._rows import TABLE_NAMES
from bev3d.data.nuscenes._splits import sample_tokens, scene_names
from bev3d.data.nuscenes._subset import NuScenesSubset
from bev3d.data.nuscenes._sweeps import merge_sweeps, read_lidar
from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = [
    "DETECTION_CLASSES",
    "DETECTION_CLASS_OF_CATEGORY",
    "TABLE_NAMES",
    "GlobalAnnotations",
    "NuScenesDataset",
    "NuScenesSubset",
    "NuScenesTables",
    "boxes_to_global",
    "invert_rigid",
    "merge_sweeps",
    "pose_matrix",
    "read_annotations",
    "read_lidar",
    "sample_tokens",
    "scene_names",
]
