"""To and from the box conventions of other systems; each function names what it expects, drops and returns.

Every ``from_x`` gives the convention of :class:`bev3d.boxes.Box`, every ``to_x`` leaves it. NumPy in, NumPy out;
tensors in, tensors out; round trips agree to 1e-12 in float64.
"""

from bev3d.boxes.convert._argoverse import from_av2, to_av2
from bev3d.boxes.convert._bev import from_cxcywhr, from_mmcv_rotated, to_cxcywhr, to_mmcv_rotated
from bev3d.boxes.convert._cameras import (
    from_mmdet3d_camera,
    from_openpcdet_camera,
    to_mmdet3d_camera,
    to_openpcdet_camera,
)
from bev3d.boxes.convert._kitti import RectifiedCalibration, from_kitti_camera, to_kitti_camera
from bev3d.boxes.convert._nuscenes import from_nuscenes, quaternion_from_yaw, to_nuscenes, yaw_from_quaternion
from bev3d.boxes.convert._vectors import (
    from_centerpoint,
    from_mmdet3d,
    from_openpcdet,
    from_rotated_iou,
    from_second,
    to_centerpoint,
    to_mmdet3d,
    to_openpcdet,
    to_rotated_iou,
    to_second,
)

__all__ = [
    "RectifiedCalibration",
    "from_av2",
    "from_centerpoint",
    "from_cxcywhr",
    "from_kitti_camera",
    "from_mmcv_rotated",
    "from_mmdet3d",
    "from_mmdet3d_camera",
    "from_nuscenes",
    "from_openpcdet",
    "from_openpcdet_camera",
    "from_rotated_iou",
    "from_second",
    "quaternion_from_yaw",
    "to_av2",
    "to_centerpoint",
    "to_cxcywhr",
    "to_kitti_camera",
    "to_mmcv_rotated",
    "to_mmdet3d",
    "to_mmdet3d_camera",
    "to_nuscenes",
    "to_openpcdet",
    "to_openpcdet_camera",
    "to_rotated_iou",
    "to_second",
    "yaw_from_quaternion",
]
