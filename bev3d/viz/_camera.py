"""Pinhole cameras for 3D renders: where they stand, and where a point of the world lands in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice

__all__ = ["VIEWS", "Camera", "camera_for"]

VIEWS = ("bev", "chase", "oblique")


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        camera_from_world: (4, 4); the camera looks along its z, x is right and y is down.
        focal_px: focal length in pixels.
        size: width and height of the picture in pixels; the axis goes through its middle.
    """

    camera_from_world: NDArray[np.float64]
    focal_px: float
    size: tuple[int, int]

    def project(self, xyz: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) metres to (N, 2) pixels, column and row; NaN for what lies behind the camera."""
        at = np.asarray(xyz, dtype=np.float64) @ self.camera_from_world[:3, :3].T + self.camera_from_world[:3, 3]
        depth = np.where(at[:, 2:] > 1e-6, at[:, 2:], np.nan)
        middle = np.array(self.size) / 2 - 0.5
        return self.focal_px * at[:, :2] / depth + middle


def camera_for(
    view: str,
    *,
    extent: tuple[float, float, float, float],
    ground_z: float,
    forward: float,
    size: tuple[int, int],
) -> Camera:
    """A camera for one of the named views.

    Args:
        view: ``"bev"`` from far above with y upwards; ``"chase"`` from behind the sensor's car; ``"oblique"`` from
            a corner over the whole extent.
        extent: x0, y0, x1, y1 of what is to be seen, metres.
        ground_z: height of the ground, metres.
        forward: heading of the car, radians.
        size: width and height of the picture, pixels.

    Raises:
        ValueError: an unknown view.
    """
    check_choice("view", view, VIEWS)
    x0, y0, x1, y1 = extent
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2, ground_z])
    ahead = np.array([np.cos(forward), np.sin(forward), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    if view == "bev":
        # far away with a long lens: nearly parallel rays
        distance = 8 * max(x1 - x0, y1 - y0)
        focal = distance * min(size[0] / (x1 - x0), size[1] / (y1 - y0)) * 0.97
        return Camera(_look(middle + distance * up, middle, np.array([0.0, 1.0, 0.0])), focal, size)
    if view == "chase":
        ground = up * ground_z
        # where nothing is known behind the car, the camera need not stand back
        forward_only = min(x0 * ahead[0], x1 * ahead[0]) + min(y0 * ahead[1], y1 * ahead[1]) > -5
        eye = ground + (-7 * ahead + 7 * up if forward_only else -15 * ahead + 9 * up)
        aim = ground + 15 * ahead
        return Camera(_look(eye, aim, up), 0.78 * size[0], size)
    reach = float(np.hypot(x1 - x0, y1 - y0))
    left = np.array([-ahead[1], ahead[0], 0.0])
    eye = middle + reach * (-0.62 * ahead - 0.38 * left + 0.55 * up)
    return Camera(_look(eye, middle, up), 0.95 * size[0], size)


def _look(eye: NDArray[np.float64], aim: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) camera_from_world of a camera at ``eye`` that looks at ``aim``."""
    z = (aim - eye) / np.linalg.norm(aim - eye)
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), z])
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix
