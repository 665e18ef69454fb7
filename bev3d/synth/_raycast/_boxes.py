"""Boxes: the points inside them, and whether two of them meet on their way."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def count_inside(points, rotation, origin, boxes):
    """Points inside upright boxes, faces included.

    Args:
        points: (P, >= 3) float32 in the sensor's frame; rotation, origin: world from sensor.
        boxes: (N, 7) float64 in the world: x, y, z (centre), length, width, height, yaw.

    Returns:
        (N,) int64.
    """
    counts = np.zeros(boxes.shape[0], np.int64)
    world = np.empty((points.shape[0], 3))
    for i in range(points.shape[0]):
        x, y, z = float(points[i, 0]), float(points[i, 1]), float(points[i, 2])
        for j in range(3):
            world[i, j] = rotation[j, 0] * x + rotation[j, 1] * y + rotation[j, 2] * z + origin[j]
    for n in range(boxes.shape[0]):
        c, s = math.cos(boxes[n, 6]), math.sin(boxes[n, 6])
        reach = 0.25 * (boxes[n, 3] ** 2 + boxes[n, 4] ** 2) + 1e-6
        for i in range(points.shape[0]):
            dx, dy = world[i, 0] - boxes[n, 0], world[i, 1] - boxes[n, 1]
            if dx * dx + dy * dy > reach or abs(world[i, 2] - boxes[n, 2]) > 0.5 * boxes[n, 5]:
                continue
            if abs(c * dx + s * dy) <= 0.5 * boxes[n, 3] and abs(c * dy - s * dx) <= 0.5 * boxes[n, 4]:
                counts[n] += 1
    return counts


@njit(cache=True, nogil=True)
def _pose(body, time):
    """Place of a body (x, y, yaw, speed, yaw rate, length, width) after ``time`` seconds."""
    yaw, speed, rate = body[2], body[3], body[4]
    if abs(rate) < 1e-6:
        return body[0] + speed * time * math.cos(yaw), body[1] + speed * time * math.sin(yaw), yaw
    turned = yaw + rate * time
    radius = speed / rate
    return (
        body[0] + radius * (math.sin(turned) - math.sin(yaw)),
        body[1] - radius * (math.cos(turned) - math.cos(yaw)),
        turned,
    )


@njit(cache=True, nogil=True)
def _separated(dx, dy, yaw, length, width, other_yaw, other_length, other_width):
    """Whether an axis of the first rectangle separates it from the second, whose centre is (dx, dy) away."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn_c, turn_s = abs(math.cos(other_yaw - yaw)), abs(math.sin(other_yaw - yaw))
    reach_x = 0.5 * (length + turn_c * other_length + turn_s * other_width)
    reach_y = 0.5 * (width + turn_s * other_length + turn_c * other_width)
    return abs(c * dx + s * dy) > reach_x or abs(c * dy - s * dx) > reach_y


@njit(cache=True, nogil=True)
def collides(body, bodies, count, times, margin):
    """Whether a body comes closer than ``margin`` to one of the first ``count`` bodies at one of the times.

    Args:
        body: (7,) x, y, yaw at time 0, speed, yaw rate, length, width; bodies: (capacity, 7).
        times: (T,) seconds; margin: metres.
    """
    length, width = body[5] + 2.0 * margin, body[6] + 2.0 * margin
    radius = 0.5 * math.sqrt(length * length + width * width)
    for t in range(times.size):
        x, y, yaw = _pose(body, times[t])
        for i in range(count):
            other = bodies[i]
            ox, oy, other_yaw = _pose(other, times[t])
            reach = radius + 0.5 * math.sqrt(other[5] * other[5] + other[6] * other[6])
            dx, dy = ox - x, oy - y
            if dx * dx + dy * dy > reach * reach:
                continue
            if _separated(dx, dy, yaw, length, width, other_yaw, other[5], other[6]):
                continue
            if _separated(-dx, -dy, other_yaw, other[5], other[6], yaw, length, width):
                continue
            return True
    return False
