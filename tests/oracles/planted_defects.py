"""Known defects of boxes, planted by formulas of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Boxes = np.ndarray

__all__ = ["DEFECTS", "camera_boxes", "in_column_order", "moved", "turned_right"]


def _yaw(change: Callable[[Boxes], Boxes]) -> Callable[[Boxes], Boxes]:
    def plant(boxes: Boxes) -> Boxes:
        changed = boxes.copy()
        changed[:, 6] = change(boxes[:, 6])
        return changed

    return plant


def in_column_order(*order: int) -> Callable[[Boxes], Boxes]:
    """Columns 3, 4, 5 taken from those given."""

    def plant(boxes: Boxes) -> Boxes:
        changed = boxes.copy()
        changed[:, 3:6] = boxes[:, list(order)]
        return changed

    return plant


def _bottom(boxes: Boxes) -> Boxes:
    changed = boxes.copy()
    changed[:, 2] = boxes[:, 2] - 0.5 * boxes[:, 5]
    return changed


def _second(boxes: Boxes) -> Boxes:
    changed = _bottom(in_column_order(4, 3, 5)(boxes))
    changed[:, 6] = -boxes[:, 6] - np.pi / 2
    return changed


def _centerpoint(boxes: Boxes) -> Boxes:
    rotation = -boxes[:, 6] - np.pi / 2
    return np.column_stack([boxes[:, :3], boxes[:, 4], boxes[:, 3], boxes[:, 5], boxes[:, 7:], rotation])


# name of the finding -> what makes it
DEFECTS: Mapping[str, Callable[[Boxes], Boxes]] = {
    "z_bottom": _bottom,
    "length_width_swapped": in_column_order(4, 3, 5),
    "size_order": in_column_order(5, 4, 3),
    "yaw_sign": _yaw(lambda yaw: -yaw),
    "yaw_quarter_turn": _yaw(lambda yaw: yaw + np.pi / 2),
    "degrees": _yaw(lambda yaw: yaw * 180 / np.pi),
    "second_boxes": _second,
    "centerpoint_boxes": _centerpoint,
}


def camera_boxes(boxes: Boxes, rect_from_velo: np.ndarray, columns: str) -> Boxes:
    """KITTI's own numbers, from boxes in the velodyne frame: location of the bottom, sizes, rotation_y."""
    bottom = np.column_stack([boxes[:, :2], boxes[:, 2] - boxes[:, 5] / 2, np.ones(len(boxes))])
    place = (bottom @ rect_from_velo.T)[:, :3]
    length, width, height = boxes[:, 3:6].T
    angle = -boxes[:, 6] - np.pi / 2
    return {
        "xyzlhw": np.column_stack([place, length, height, width, angle]),
        "xyzhwl": np.column_stack([place, height, width, length, angle]),
        "hwlxyz": np.column_stack([height, width, length, place, angle]),
    }[columns]


def turned_right(boxes: Boxes) -> Boxes:
    """The boxes as they stand in a frame whose x axis is the old y axis."""
    changed = boxes.copy()
    changed[:, 0], changed[:, 1] = boxes[:, 1], -boxes[:, 0]
    changed[:, 6] = boxes[:, 6] - np.pi / 2
    changed[:, 7], changed[:, 8] = boxes[:, 8], -boxes[:, 7]
    return changed


def moved(boxes: Boxes, x: float, y: float, z: float) -> Boxes:
    """All boxes shifted."""
    changed = boxes.copy()
    changed[:, :3] += [x, y, z]
    return changed
