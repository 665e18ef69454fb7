"""A synthetic world: streets with moving objects of ten classes, scanned by a ray-cast spinning LiDAR."""

from bev3d.synth._kitti import write_kitti
from bev3d.synth._nuscenes import write_nuscenes

__all__ = ["write_kitti", "write_nuscenes"]
