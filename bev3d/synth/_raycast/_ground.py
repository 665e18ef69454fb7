"""The ground: gentle waves, asphalt, markings and pavement."""

import math

from numba import njit

from bev3d.synth._raycast._intersect import MAX_RANGE_M

GROUND = -1  # owner of a ground return


@njit(cache=True, nogil=True)
def ground_height(x, y, waves):
    """Height of the ground: sum of a sin(kx x + ky y + phase) over the rows (a, kx, ky, phase)."""
    height = 0.0
    for i in range(waves.shape[0]):
        height += waves[i, 0] * math.sin(waves[i, 1] * x + waves[i, 2] * y + waves[i, 3])
    return height


@njit(cache=True, nogil=True)
def cast_ground(depth, cosines, owners, directions, origin, waves):
    """First hits on the undulating ground, by fixed-point steps from the plane (slopes are below 1 %)."""
    start = ground_height(origin[0], origin[1], waves)
    for ray in range(depth.size):
        dx, dy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        if dz > -0.012:
            continue
        height, t = start, 0.0
        for _ in range(6):
            t = (height - origin[2]) / dz
            found = ground_height(origin[0] + t * dx, origin[1] + t * dy, waves)
            if abs(found - height) < 1e-3:
                break
            height = found
        if 0.0 < t < MAX_RANGE_M:
            depth[ray], cosines[ray], owners[ray] = t, -dz, GROUND


@njit(cache=True, nogil=True)
def ground_reflectivity(x, y, road, noise):
    """Asphalt, lane markings, pavement. ``road``: x, y, yaw, half width, lane width, crossing x, its half width."""
    c, s = math.cos(road[2]), math.sin(road[2])
    along, across = c * (x - road[0]) + s * (y - road[1]), c * (y - road[1]) - s * (x - road[0])
    if abs(across) < road[3]:
        lane = abs(across) / road[4]
        if abs(lane - round(lane)) * road[4] < 0.09 and abs(along - road[5]) > road[6]:
            return 70.0 * noise
        return 11.0 * noise
    return 11.0 * noise if abs(along - road[5]) < road[6] else 24.0 * noise
