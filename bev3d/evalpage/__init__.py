"""One page about an evaluation: numbers, curves, errors, calibration, confusion, the worst samples."""

from bev3d.evalpage._kitti import write_kitti_page
from bev3d.evalpage._nuscenes import write_nuscenes_page

__all__ = ["write_kitti_page", "write_nuscenes_page"]
