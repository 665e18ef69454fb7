"""One revolution of the sensor: a depth buffer over (azimuth step, ring), then what comes back.

Instead of testing every ray against every primitive, each primitive is projected on the grid of the spinning sensor
and only the rays of that window are tested. One thread and no GIL: callers run one scan a thread.
"""

import math

import numpy as np
from numba import njit

from bev3d.synth._raycast._ground import cast_ground, ground_reflectivity
from bev3d.synth._raycast._intersect import CONE, MAX_RANGE_M, PRISM, hit_cone, hit_ellipsoid, hit_prism
from bev3d.synth._raycast._random import normal, uniform
from bev3d.synth._raycast._window import window

NOTHING = -2  # owner of a ray that hits nothing


@njit(cache=True, nogil=True)
def cast_primitives(state, rays, prims, poses, yaw, elevations, azimuths, seed, possible):
    """Depth-buffer every primitive into ``state``; count into ``possible`` the rays that each owner would stop."""
    depth, cosines, owners, which, stamp = state
    directions, origin = rays
    first_azimuth, step, columns = azimuths
    rings = elevations.size
    for p in range(prims.shape[0]):
        prim = prims[p]
        owner, kind = int(prim[0]), int(prim[1])
        c, s = math.cos(poses[owner, 3]), math.sin(poses[owner, 3])
        rx, ry = origin[0] - poses[owner, 0], origin[1] - poses[owner, 1]
        ox, oy, oz = c * rx + s * ry, c * ry - s * rx, origin[2] - poses[owner, 2]
        start, span, first, last = window(prim, ox, oy, oz, yaw - poses[owner, 3], elevations)
        if last <= first or span <= 0.0:
            continue
        turn = start + span - first_azimuth if step < 0.0 else start - first_azimuth
        turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi))
        begin = math.floor(turn / abs(step) if step > 0.0 else (2.0 * math.pi - turn) / abs(step))
        around = round(2.0 * math.pi / abs(step))
        for k in range(min(int(span / abs(step)) + 3, around)):
            column = (begin + k) % around
            if column >= columns:
                continue
            for ring in range(first, last):
                ray = column * rings + ring
                gx, gy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
                dx, dy = c * gx + s * gy, c * gy - s * gx
                if kind == PRISM:
                    near, far, cosine = hit_prism(prim, ox, oy, oz, dx, dy, dz)
                elif kind == CONE:
                    near, far, cosine = hit_cone(prim, ox, oy, oz, dx, dy, dz)
                else:
                    near, far, cosine = hit_ellipsoid(prim, ox, oy, oz, dx, dy, dz)
                if near > far or near <= 0.0:
                    continue
                if prim[4] > 0.0:
                    near -= prim[4] * math.log(uniform(seed, 16 + p, ray))
                    cosine = 0.6
                    if near > far:
                        continue
                if stamp[ray] != owner:
                    stamp[ray] = owner
                    possible[owner] += 1
                if near < depth[ray]:
                    depth[ray], cosines[ray], owners[ray], which[ray] = near, cosine, owner, p


@njit(cache=True, nogil=True)
def _directions(rotation, elevations, azimuths):
    """Unit vectors of the rays in the sensor's frame and in the world, (columns * rings, 3) each, ring by ring."""
    first_azimuth, step, columns = azimuths
    rings = elevations.size
    local = np.empty((columns * rings, 3))
    world = np.empty((columns * rings, 3))
    flats, climbs = np.cos(elevations), np.sin(elevations)
    for column in range(columns):
        c, s = math.cos(first_azimuth + step * column), math.sin(first_azimuth + step * column)
        for ring in range(rings):
            ray = column * rings + ring
            x, y, z = flats[ring] * c, flats[ring] * s, climbs[ring]
            local[ray, 0], local[ray, 1], local[ray, 2] = x, y, z
            for i in range(3):
                world[ray, i] = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z
    return local, world


@njit(cache=True, nogil=True)
def _returns(state, rays, local, prims, road, rings, noise_m, seed):
    """What the receiver reports of the first hits: points and their owners."""
    depth, cosines, owners, which = state
    directions, origin = rays
    points = np.empty((depth.size, 5), np.float32)
    kept = np.empty(depth.size, np.int32)
    size = 0
    for ray in range(depth.size):
        owner = owners[ray]
        if owner == NOTHING:
            continue
        t = depth[ray]
        texture = max(1.0 + 0.25 * normal(seed, 3, ray), 0.1)
        survives = 1.0
        if owner >= 0:
            reflectivity = prims[which[ray], 2] * texture
            survives = prims[which[ray], 3]
        else:
            x, y = origin[0] + t * directions[ray, 0], origin[1] + t * directions[ray, 1]
            reflectivity = ground_reflectivity(x, y, road, texture)
        signal = reflectivity / 255.0 * cosines[ray] / (0.01 * t) ** 2
        if uniform(seed, 1, ray) > survives * 0.992 * (1.0 - math.exp(-signal / 0.006)):
            continue
        measured = t + noise_m * normal(seed, 5, ray)
        for i in range(3):
            points[size, i] = local[ray, i] * measured
        points[size, 3] = min(255.0, math.floor(reflectivity * (0.35 + 0.65 * cosines[ray])))
        points[size, 4] = ray % rings
        kept[size] = owner
        size += 1
    return points[:size].copy(), kept[:size].copy()


@njit(cache=True, nogil=True)
def scan_kernel(prims, poses, waves, road, rotation, origin, elevations, azimuths, noise_m, seed):
    """One revolution.

    Args:
        prims: (M, 14) float64, sorted by owner.
        poses: (K, 4) float64 x, y, z, yaw of the owners in the world.
        waves: (W, 4) ground; road: (7,) see ``ground_reflectivity``.
        rotation: (3, 3) world from sensor; origin: (3,) sensor in the world.
        elevations: (R,) radians, ascending; azimuths: (first, step, columns), a revolution or a part of one.
        noise_m: standard deviation of the range.
        seed: uint64.

    Returns:
        points (P, 5) float32 x, y, z (sensor), intensity 0 to 255, ring; owners (P,) int32;
        possible (K,) rays that an owner would stop alone; seen (K,) rays that it does stop.
    """
    local, directions = _directions(rotation, elevations, azimuths)
    rays = (directions, origin)
    depth = np.full(local.shape[0], MAX_RANGE_M)
    cosines = np.zeros(depth.size)
    owners = np.full(depth.size, NOTHING, np.int32)
    which = np.full(depth.size, -1, np.int32)
    stamp = np.full(depth.size, -1, np.int32)
    possible = np.zeros(poses.shape[0], np.int64)
    seen = np.zeros(poses.shape[0], np.int64)
    cast_ground(depth, cosines, owners, directions, origin, waves)
    yaw = math.atan2(rotation[1, 0], rotation[0, 0])
    state = (depth, cosines, owners, which, stamp)
    cast_primitives(state, rays, prims, poses, yaw, elevations, azimuths, seed, possible)
    for ray in range(depth.size):
        if owners[ray] >= 0:
            seen[owners[ray]] += 1
    points, kept = _returns((depth, cosines, owners, which), rays, local, prims, road, elevations.size, noise_m, seed)
    return points, kept, possible, seen
