"""One frame of a synthetic KITTI data set: scan, calibration, labels and picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._files import write_text
from bev3d.boxes import transform_boxes, wrap_angle
from bev3d.boxes.convert import to_kitti_camera
from bev3d.data.kitti import KittiCalib
from bev3d.synth._folder import write_array
from bev3d.synth._kinds import KITTI_KINDS
from bev3d.synth._kitti_picture import draw_points
from bev3d.synth._png import write_png
from bev3d.synth._populate import Density, build_world
from bev3d.synth._raycast import count_inside
from bev3d.synth._scanner import HDL64E, Scan, rotation_matrix, scan
from bev3d.synth._world import World

__all__ = ["CALIBRATION", "IMAGE_SIZE", "calibration_text", "write_frame"]

Array = NDArray[np.float64]

IMAGE_SIZE = (1242, 375)
LABELLED_DEPTH_M = 70.0
SMALLEST_SIDE_PX = 4.0
DENSITY = Density(
    cars=24.0, trucks=2.0, buses=0.4, trailers=0.4, construction_vehicles=0.4, motorcycles=3.0, bicycles=9.0,
    pedestrians=20.0, cone_rows=0.4, barrier_rows=0.3, bins=1.5, ahead_m=20.0,
)  # fmt: skip


def _calibration() -> KittiCalib:
    """Four cameras in a row, z of the rectified one along x of the velodyne but for a third of a degree."""
    focal, centre = 720.0, (610.0, 173.0)
    projections = np.zeros((4, 3, 4))
    for camera, baseline_m in enumerate((0.0, 0.54, -0.06, 0.47)):
        projections[camera, 0, [0, 2, 3]] = focal, centre[0], -focal * baseline_m
        projections[camera, 1, 1:3] = focal, centre[1]
        projections[camera, 2, 2] = 1.0
    rectify = rotation_matrix(0.004, -0.009, 0.006)
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    rotation = rectify.T @ rotation_matrix(0.005, 0.002, -0.001) @ axes
    return KittiCalib(projections, rectify, np.column_stack([rotation, (-0.01, -0.07, -0.28)]))


CALIBRATION = _calibration()


def calibration_text() -> str:
    """The file ``calib/ID.txt``."""
    entries: dict[str, Array] = {f"P{i}": CALIBRATION.projections[i] for i in range(4)}
    entries |= {"R0_rect": CALIBRATION.r0_rect, "Tr_velo_to_cam": CALIBRATION.tr_velo_to_cam}
    entries["Tr_imu_to_velo"] = np.eye(4)[:3]
    return "".join(f"{key}: " + " ".join(f"{v:.12e}" for v in value.ravel()) + "\n" for key, value in entries.items())


def write_frame(root: Path, number: int, seed: int) -> None:
    """Write the four files of a frame, the label last."""
    world = build_world(np.random.SeedSequence([seed, number, 64]), np.zeros(1), DENSITY, KITTI_KINDS)
    noise = np.random.SeedSequence([seed, number, 65]).generate_state(1, np.uint64)[0]
    seen = scan(world, HDL64E, 0.0, int(noise))
    training, name = root / "training", f"{number:06d}"
    points = seen.points[:, :4].copy()
    points[:, 3] = np.round(points[:, 3] / 255.0, 2)
    write_array(training / "velodyne" / f"{name}.bin", points)
    write_png(training / "image_2" / f"{name}.png", draw_points(seen.points, CALIBRATION, IMAGE_SIZE))
    write_text(training / "calib" / f"{name}.txt", calibration_text())
    write_text(training / "label_2" / f"{name}.txt", "".join(line + "\n" for line in _labels(world, seen)))


def _labels(world: World, seen: Scan) -> list[str]:
    """Lines of label_2, DontCare last."""
    boxes = world.boxes(0.0)[:, :7]
    points = count_inside(seen.points, seen.rotation, seen.place, boxes)
    velo_from_world = np.eye(4)
    velo_from_world[:3, :3] = seen.rotation.T
    velo_from_world[:3, 3] = -seen.rotation.T @ seen.place
    sizes, places, turns = (a.round(2) for a in to_kitti_camera(transform_boxes(boxes, velo_from_world), CALIBRATION))
    lines, ignored = [], []
    for i, kind in enumerate(world.kinds):
        rectangle = _rectangle(sizes[i], places[i], float(turns[i]))
        visible = float(seen.visible[i])
        if rectangle is None or not visible > 0.0 or not kind.kitti:
            continue
        image = " ".join(f"{v:.2f}" for v in rectangle[0])
        if places[i, 2] > LABELLED_DEPTH_M or points[i] == 0:
            ignored.append(f"DontCare -1 -1 -10 {image} -1 -1 -1 -1000 -1000 -1000 -10")
            continue
        alpha = wrap_angle(turns[i : i + 1] - math.atan2(places[i, 0], places[i, 2]))[0]
        space = " ".join(f"{v:.2f}" for v in (*sizes[i], *places[i], turns[i]))
        lines.append(f"{kind.kitti} {rectangle[1]:.2f} {_occlusion(visible)} {alpha:.2f} {image} {space}")
    return lines + ignored


def _rectangle(size_hwl: Array, place: Array, turn: float) -> tuple[Array, float] | None:
    """Left, top, right, bottom in the image and the truncated share; None outside the image."""
    height, width, length = size_hwl
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-1.0, 0.0) for z in (-0.5, 0.5)])
    c, s = math.cos(turn), math.sin(turn)
    local = signs * (length, height, width)
    corners = local @ np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]]) + place
    if place[2] < 0.5:
        return None
    corners[:, 2] = np.maximum(corners[:, 2], 0.2)
    pixels, _ = CALIBRATION.image_from_rect(corners)
    whole = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    edge = np.array([*IMAGE_SIZE, *IMAGE_SIZE]) - 1.0
    clipped = np.clip(whole, 0.0, edge)
    sides = clipped[2:] - clipped[:2]
    if sides.min() < SMALLEST_SIDE_PX:
        return None
    return clipped, float(np.clip(1.0 - sides.prod() / (whole[2:] - whole[:2]).prod(), 0.0, 1.0))


def _occlusion(visible: float) -> int:
    """KITTI's levels: 0 visible, 1 partly, 2 largely occluded, 3 unknown."""
    return 0 if visible > 0.75 else 1 if visible > 0.4 else 2 if visible > 0.08 else 3
