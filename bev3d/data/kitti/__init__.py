"""KITTI object frames: calibration, labels, scans, samples."""

from bev3d.data.kitti._calib import KittiCalib, read_calib
from bev3d.data.kitti._dataset import KittiDataset
from bev3d.data.kitti._difficulty import DIFFICULTIES, MIN_HEIGHT_PX, difficulty_of, too_hard
from bev3d.data.kitti._files import COMMON_IMAGE_SIZE, read_frame_ids, read_image_size, read_velodyne
from bev3d.data.kitti._labels import DONT_CARE, KITTI_CLASSES, KittiLabels, read_labels

__all__ = [
    "COMMON_IMAGE_SIZE",
    "DIFFICULTIES",
    "DONT_CARE",
    "KITTI_CLASSES",
    "MIN_HEIGHT_PX",
    "KittiCalib",
    "KittiDataset",
    "KittiLabels",
    "difficulty_of",
    "read_calib",
    "read_frame_ids",
    "read_image_size",
    "read_labels",
    "read_velodyne",
    "too_hard",
]
