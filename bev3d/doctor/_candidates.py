"""Ways to read an array of boxes, each with what would be wrong if it is the right one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, wrap_angle

__all__ = ["AS_GIVEN", "Candidate", "candidates_for", "read_boxes"]

Boxes = NDArray[np.float64]
LENGTH_WIDTH_HEIGHT = (0, 1, 2)
ORDER_NAMES = {
    (0, 1, 2): "length, width, height",
    (1, 0, 2): "width, length, height",
    (2, 1, 0): "height, width, length",
    (0, 2, 1): "length, height, width",
    (2, 0, 1): "width, height, length",
    (1, 2, 0): "height, length, width",
}
# Camera to velodyne of KITTI without the calibration of the frame: axes exchanged, and the usual distance between them.
CAMERA_IN_VELODYNE_M = (0.27, 0.0, -0.08)
# columns of x, y, z, l, h, w, ry in each camera layout
CAMERA_COLUMNS = {
    "camera_lhw": (0, 1, 2, 3, 4, 5, 6),
    "camera_hwl": (0, 1, 2, 5, 3, 4, 6),
    "camera_lwh": (0, 1, 2, 3, 5, 4, 6),
    "kitti_label": (3, 4, 5, 2, 0, 1, 6),
}
TURNED = ("turned_left", "turned_right", "turned_about", "mirrored_x", "mirrored_y")


@dataclass(frozen=True)
class Candidate:
    """One reading of the columns; ``AS_GIVEN`` is that of :class:`bev3d.boxes.Box`.

    Attributes:
        layout: ``lidar``, columns and frame as in ours; ``yaw_last``, 9 columns with the velocity before the yaw;
            ``camera_*`` and ``kitti_label``, boxes in KITTI's camera; ``turned_*`` and ``mirrored_*``,
            another frame than that of the points.
        order: places of length, width and height in columns 3, 4 and 5, counted from 0.
        sign: of the angle, 1 or -1.
        quarter: quarter turns that are added to the angle, 0 to 3.
        degrees: the angle is in degrees.
        bottom: z is that of the bottom face.
    """

    layout: str = "lidar"
    order: tuple[int, int, int] = LENGTH_WIDTH_HEIGHT
    sign: int = 1
    quarter: int = 0
    degrees: bool = False
    bottom: bool = False

    @cached_property
    def geometry(self) -> tuple[object, ...]:
        """Equal for readings with the same volume: sizes exchanged and a quarter turn, or half a turn."""
        length, width, height = self.order
        quarter = (self.quarter + (length > width)) % 2
        return self.layout, height, self.sign, quarter, self.degrees, self.bottom

    @cached_property
    def system(self) -> str:
        """The published system that has this reading, or an empty text."""
        return _SYSTEMS.get(self, "")

    @cached_property
    def defects(self) -> tuple[str, ...]:
        """What is wrong with the array, by name, if this is how it has to be read."""
        if self.layout in CAMERA_COLUMNS:
            return ("kitti_camera",)
        found = []
        if self.layout == "yaw_last":
            found.append("velocity_before_yaw")
        elif self.layout in TURNED:
            found.append("other_frame")
        if self.order != LENGTH_WIDTH_HEIGHT:
            found.append("length_width_swapped" if self.order == (1, 0, 2) else "size_order")
        if self.sign < 0:
            found.append("yaw_sign")
        if self.quarter:
            found.append("yaw_half_turn" if self.quarter == 2 else "yaw_quarter_turn")
        if self.degrees:
            found.append("degrees")
        if self.bottom:
            found.append("z_bottom")
        return tuple(found)

    @cached_property
    def complexity(self) -> float:
        """0 for the array as it is, 1 for one defect or one published system; the fraction breaks ties."""
        if self == AS_GIVEN:
            return 0.0
        own = 1.0 if self.system else float(len(self.defects))
        rare = self.order not in (LENGTH_WIDTH_HEIGHT, (1, 0, 2))
        doubtful = (0.0, 0.02, 0.04, 0.01 if self.sign < 0 else 0.03)[self.quarter]
        return own + 0.1 * rare + doubtful + 0.05 * (self.layout in TURNED)

    def describe(self) -> str:
        """The reading in words."""
        if self == AS_GIVEN:
            return "as given: x, y, z of the centre, length, width, height, yaw in radians"
        words = [_LAYOUT_WORDS[self.layout]] if self.layout != "lidar" else []
        if self.layout in CAMERA_COLUMNS:
            return words[0] if self.bottom else f"{words[0]}, y of the centre"
        if self.order != LENGTH_WIDTH_HEIGHT:
            words.append(f"sizes {ORDER_NAMES[self.order]}")
        angle = {0: "", 1: " + pi/2", 2: " + pi", 3: " - pi/2"}[self.quarter]
        if self.sign < 0 or self.quarter:
            words.append(f"yaw = {'-' if self.sign < 0 else ''}r{angle}")
        if self.degrees:
            words.append("angle in degrees")
        if self.bottom:
            words.append("z of the bottom face")
        text = "; ".join(words)
        return f"{self.system}: {text}" if self.system else text


AS_GIVEN = Candidate()
_SYSTEMS = {
    Candidate(bottom=True): "mmdet3d >= 1.0",
    Candidate(order=(1, 0, 2), sign=-1, quarter=3, bottom=True): "SECOND, mmdet3d < 1.0",
    Candidate(order=(1, 0, 2), sign=-1, quarter=3): "CenterPoint, Det3D",
    Candidate("yaw_last", order=(1, 0, 2), sign=-1, quarter=3): "CenterPoint, Det3D",
    Candidate(order=(1, 0, 2)): "sizes of the nuScenes devkit",
    Candidate("camera_lhw", bottom=True): "KITTI camera boxes of OpenPCDet, SECOND, mmdet3d",
    Candidate("camera_hwl", bottom=True): "KITTI camera boxes",
    Candidate("kitti_label", bottom=True): "columns of KITTI label_2",
}
_LAYOUT_WORDS = {
    "lidar": "",
    "yaw_last": "velocity before the angle",
    "camera_lhw": "x, y, z in the camera, length, height, width, rotation_y",
    "camera_hwl": "x, y, z in the camera, height, width, length, rotation_y",
    "camera_lwh": "x, y, z in the camera, length, width, height, rotation_y",
    "kitti_label": "height, width, length, x, y, z in the camera, rotation_y",
    "turned_left": "boxes in a frame that lies a quarter turn to the right of that of the points",
    "turned_right": "boxes in a frame that lies a quarter turn to the left of that of the points",
    "turned_about": "boxes in a frame that looks the other way",
    "mirrored_x": "x has the other sign in the boxes",
    "mirrored_y": "y has the other sign in the boxes",
}


def candidates_for(columns: int) -> list[Candidate]:
    """All readings of arrays with 7 or 9 columns, ``AS_GIVEN`` first, simple ones before involved ones."""
    layouts = ("lidar", "yaw_last") if columns == 9 else ("lidar",)
    factors = product(layouts, permutations(range(3)), (1, -1), range(4), (False, True), (False, True))
    found = [Candidate(layout, order, *rest) for layout, order, *rest in factors]  # type: ignore[arg-type]  # three places
    found += [Candidate(layout, bottom=bottom) for layout in CAMERA_COLUMNS for bottom in (True, False)]
    found += [Candidate(layout, bottom=bottom) for layout in TURNED for bottom in (False, True)]
    return sorted(found, key=lambda candidate: candidate.complexity)


def read_boxes(raw: Boxes, candidate: Candidate) -> Boxes:
    """The boxes (N, 9) in our convention, if the array (N, 7 or 9) is to be read like that; nothing is checked."""
    table = np.full((len(raw), 9), np.nan)
    table[:, : raw.shape[1]] = raw
    if candidate.layout == "yaw_last":
        table = table[:, [0, 1, 2, 3, 4, 5, 8, 6, 7]]
    elif candidate.layout in CAMERA_COLUMNS:
        table = _from_camera(table, CAMERA_COLUMNS[candidate.layout])
    elif candidate.layout in TURNED:
        table = _turn(table, candidate.layout)
    boxes = table.copy()
    boxes[:, Box.SIZE] = table[:, [3 + i for i in candidate.order]]
    angle = np.radians(table[:, Box.YAW]) if candidate.degrees else table[:, Box.YAW]
    boxes[:, Box.YAW] = wrap_angle(candidate.sign * angle + candidate.quarter * math.pi / 2)
    if candidate.bottom:
        boxes[:, Box.Z] += boxes[:, Box.HEIGHT] / 2
    return boxes


def _from_camera(table: Boxes, columns: Sequence[int]) -> Boxes:
    x, y, z, length, height, width, angle = (table[:, i] for i in columns)
    shift = CAMERA_IN_VELODYNE_M
    known = [z + shift[0], -x + shift[1], -y + shift[2], length, width, height, -angle - math.pi / 2]
    return np.column_stack([*known, np.full((len(table), 2), np.nan)])


def _turn(table: Boxes, layout: str) -> Boxes:
    turned = table.copy()
    (x, y), yaw = table[:, Box.BEV_CENTRE].T, table[:, Box.YAW]
    vx, vy = table[:, Box.VELOCITY].T
    moved = {
        "turned_left": (-y, x, yaw + math.pi / 2, -vy, vx),
        "turned_right": (y, -x, yaw - math.pi / 2, vy, -vx),
        "turned_about": (-x, -y, yaw + math.pi, -vx, -vy),
        "mirrored_x": (-x, y, math.pi - yaw, -vx, vy),
        "mirrored_y": (x, -y, -yaw, vx, -vy),
    }[layout]
    for column, value in zip((Box.X, Box.Y, Box.YAW, Box.VX, Box.VY), moved, strict=True):
        turned[:, column] = value
    return turned
