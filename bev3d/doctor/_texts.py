"""What each defect of boxes is and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from bev3d.doctor._candidates import ORDER_NAMES, Candidate

__all__ = ["named_defects"]

# defect -> (title, advice)
_TEXTS: Mapping[str, tuple[str, str]] = {
    "z_bottom": (
        "z is the bottom face, not the centre (mmdet3d >= 1.0 LiDAR boxes)",
        "add half the height: bev3d.boxes.convert.from_mmdet3d",
    ),
    "length_width_swapped": (
        "length and width are exchanged: sizes stand as width, length, height (nuScenes devkit)",
        "exchange columns 3 and 4; for devkit boxes use bev3d.boxes.convert.from_nuscenes",
    ),
    "size_order": ("the sizes stand in another order", "reorder columns 3 to 5 as length, width, height"),
    "yaw_sign": (
        "the yaw has the wrong sign: it is counted clockwise",
        "negate the yaw; look for a flip of points or boxes that leaves the other out, or for an angle about -z",
    ),
    "yaw_quarter_turn": (
        "the yaw is off by 90 degrees",
        "turn it back; look for an angle that is counted from the y axis, or for one of the camera",
    ),
    "yaw_half_turn": ("the heading points backwards: the yaw is off by 180 degrees", "add pi to the yaw"),
    "degrees": ("the yaw is in degrees", "numpy.radians(yaw)"),
    "velocity_before_yaw": (
        "the velocity stands before the yaw (columns 6 and 7, yaw last)",
        "move the last column in front of the velocity",
    ),
    "other_frame": (
        "boxes and points are in frames that are turned or mirrored against each other",
        "bring both into one frame; nuScenes' LiDAR has x to the right, its vehicle x ahead",
    ),
    "kitti_camera": (
        "the boxes are in KITTI's camera frame (x right, y down, z ahead), the points in the velodyne's",
        "bev3d.boxes.convert.from_kitti_camera(dimensions_hwl, location, rotation_y, calib)",
    ),
    "second_boxes": (
        "the boxes are those of SECOND and mmdet3d < 1.0: bottom face, width, length, height, yaw = -r - pi/2",
        "bev3d.boxes.convert.from_second",
    ),
    "centerpoint_boxes": (
        "the boxes are those of CenterPoint and Det3D: width, length, height, yaw = -r - pi/2, last of the columns",
        "bev3d.boxes.convert.from_centerpoint",
    ),
}
_WHOLE_SYSTEMS = {"SECOND, mmdet3d < 1.0": "second_boxes", "CenterPoint, Det3D": "centerpoint_boxes"}


def named_defects(candidate: Candidate) -> list[tuple[str, str, str]]:
    """Name, title and advice of each defect; a published system with several is one."""
    names = [_WHOLE_SYSTEMS[candidate.system]] if candidate.system in _WHOLE_SYSTEMS else candidate.defects
    found = []
    for name in names:
        title, advice = _TEXTS[name]
        if name == "size_order":
            title = f"{title}: {ORDER_NAMES[candidate.order]}"
        if name in ("other_frame", "kitti_camera"):
            title = f"{title} ({candidate.describe()})"
        found.append((name, title, advice))
    return found
