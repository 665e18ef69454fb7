"""The sensors of the measuring vehicle, as in nuScenes: LIDAR_TOP and six cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bev3d.synth._scanner import HDL32E
from bev3d.synth._tokens import token

__all__ = ["CAMERAS", "IMAGE_SIZE", "quaternion", "sensor_rows"]

IMAGE_SIZE = (1600, 900)

# Channel: place in the ego frame (metres), heading (degrees), focal length (pixels).
CAMERAS: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "CAM_FRONT": ((1.70, 0.016, 1.51), 0.0, 1266.0),
    "CAM_FRONT_RIGHT": ((1.55, -0.49, 1.50), -55.0, 1260.0),
    "CAM_BACK_RIGHT": ((1.01, -0.48, 1.56), -110.0, 1259.0),
    "CAM_BACK": ((0.03, 0.003, 1.58), 180.0, 809.0),
    "CAM_BACK_LEFT": ((1.03, 0.48, 1.59), 110.0, 1256.0),
    "CAM_FRONT_LEFT": ((1.52, 0.49, 1.51), 55.0, 1272.0),
}


def quaternion(roll: float, pitch: float, yaw: float) -> list[float]:
    """w, x, y, z of Rz(yaw) Ry(pitch) Rx(roll)."""
    cr, sr, cp, sp, cy, sy = (f(0.5 * a) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    return [
        cy * cp * cr + sy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        cy * sp * cr + sy * cp * sr,
        sy * cp * cr - cy * sp * sr,
    ]


def sensor_rows(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the tables sensor and calibrated_sensor."""
    sensors, calibrated = [], []
    for channel in ("LIDAR_TOP", *CAMERAS):
        modality = "lidar" if channel == "LIDAR_TOP" else "camera"
        sensors.append({"token": token(seed, "sensor", channel), "channel": channel, "modality": modality})
        place: Sequence[float] = HDL32E.place
        rotation, intrinsic = quaternion(0.0, 0.0, HDL32E.yaw), []
        if modality == "camera":
            place, heading, focal = CAMERAS[channel]
            # z of a camera looks along its heading, x to the right, y down
            rotation = quaternion(-0.5 * math.pi, 0.0, math.radians(heading) - 0.5 * math.pi)
            intrinsic = [[focal, 0.0, 0.5 * IMAGE_SIZE[0]], [0.0, focal, 0.5 * IMAGE_SIZE[1]], [0.0, 0.0, 1.0]]
        calibrated.append(
            {
                "token": token(seed, "calibrated_sensor", channel),
                "sensor_token": sensors[-1]["token"],
                "translation": list(place),
                "rotation": rotation,
                "camera_intrinsic": intrinsic,
            }
        )
    return sensors, calibrated
