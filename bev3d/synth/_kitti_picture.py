"""The scan as a camera picture: each return a blot, nearer ones over farther ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.data.kitti import KittiCalib

__all__ = ["draw_points"]


def draw_points(points: NDArray[np.float32], calib: KittiCalib, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw points on sky and road.

    Args:
        points: (P, >= 4) x, y, z (velodyne), intensity 0 to 255.
        calib: the camera; size: width and height in pixels.

    Returns:
        (height, width, 3) RGB.
    """
    width, height = size
    rows = np.arange(height)[:, None, None] / height
    sky, road = np.array([150.0, 175.0, 205.0]), np.array([72.0, 72.0, 76.0])
    picture = np.where(rows < 0.46, sky * (0.75 + 0.5 * rows), road * (0.8 + 0.3 * rows))
    image = np.broadcast_to(picture, (height, width, 3)).astype(np.uint8)
    pixels, depth = calib.image_from_velo(points[:, :3].astype(np.float64))
    order = np.argsort(-depth, kind="stable")
    order = order[depth[order] > 1.0]
    column, row = pixels[order].round().astype(np.int64).T
    shade = np.clip(40.0 + 2.2 * points[order, 3], 0.0, 255.0)
    haze = np.clip(depth[order] / 80.0, 0.0, 0.8)
    tint = np.clip(0.5 + 0.25 * points[order, 2], 0.0, 1.0)  # low blue, high red
    colour = np.stack([shade * (0.6 + 0.4 * tint), shade * 0.85, shade * (1.0 - 0.4 * tint)], axis=1)
    colour = (colour * (1.0 - haze[:, None]) + 150.0 * haze[:, None]).astype(np.uint8)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            x, y = column + dx, row + dy
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            image[y[inside], x[inside]] = colour[inside]
    return image
