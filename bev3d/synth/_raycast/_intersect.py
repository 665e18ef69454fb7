"""A ray against a primitive: entry, exit and incidence.

A row of the table of primitives: 0 owner, 1 kind, 2 reflectivity, 3 share of hits that return, 4 mean free path
(0: solid), 5 to 13 geometry in the frame of the owner:

    prism       x rear bottom, x rear top, x front bottom, x front top, y centre, half width bottom, top, z0, z1
    cone        x, -, -, -, y, radius bottom, top, z0, z1
    ellipsoid   x, half axis x, -, -, y, half axis y, -, z0, z1
"""

import math

from numba import njit

PRISM, CONE, ELLIPSOID = 0, 1, 2
MAX_RANGE_M = 95.0


@njit(cache=True, nogil=True)
def hit_prism(prim, ox, oy, oz, dx, dy, dz):
    """Entry, exit and |cos| of incidence for the six half-spaces of a prism; entry > exit is a miss."""
    z0, z1 = prim[12], prim[13]
    height = z1 - z0
    front = (prim[8] - prim[7]) / height
    rear = (prim[6] - prim[5]) / height
    side = (prim[11] - prim[10]) / height
    near, far, cosine = 0.0, MAX_RANGE_M, 0.0
    for face in range(6):
        if face == 0:
            gap = prim[7] + front * (oz - z0) - ox
            speed, norm = dx - front * dz, front
        elif face == 1:
            gap = ox - prim[5] - rear * (oz - z0)
            speed, norm = rear * dz - dx, rear
        elif face == 2:
            gap = prim[9] + prim[10] + side * (oz - z0) - oy
            speed, norm = dy - side * dz, side
        elif face == 3:
            gap = oy - prim[9] + prim[10] + side * (oz - z0)
            speed, norm = -dy - side * dz, side
        elif face == 4:
            gap, speed, norm = z1 - oz, dz, 0.0
        else:
            gap, speed, norm = oz - z0, -dz, 0.0
        if speed > 1e-12:
            far = min(far, gap / speed)
        elif speed < -1e-12:
            t = gap / speed
            if t > near:
                near, cosine = t, -speed / math.sqrt(1.0 + norm * norm)
        elif gap < 0.0:
            return 1.0, 0.0, 0.0
        if near > far:
            return 1.0, 0.0, 0.0
    return near, far, cosine


@njit(cache=True, nogil=True)
def hit_cone(prim, ox, oy, oz, dx, dy, dz):
    """The same for an upright truncated cone of radii prim[10] below, prim[11] above; rays steeper than it miss."""
    z0, z1 = prim[12], prim[13]
    slope = (prim[11] - prim[10]) / (z1 - z0)
    x, y = ox - prim[5], oy - prim[9]
    radius = prim[10] + slope * (oz - z0)
    grow = slope * dz
    a = dx * dx + dy * dy - grow * grow
    b = x * dx + y * dy - radius * grow
    c = x * x + y * y - radius * radius
    root = b * b - a * c
    if root <= 0.0 or a <= 1e-12:
        return 1.0, 0.0, 0.0
    root = math.sqrt(root)
    near, far = (-b - root) / a, (-b + root) / a
    if near <= 0.0:
        return 1.0, 0.0, 0.0
    cosine = root / math.sqrt(1.0 + slope * slope) / max(radius + grow * near, 1e-3)
    if abs(dz) > 1e-12:
        ta, tb = (z0 - oz) / dz, (z1 - oz) / dz
        if ta > tb:
            ta, tb = tb, ta
        if ta > near:
            near, cosine = ta, abs(dz)
        far = min(far, tb)
    elif oz < z0 or oz > z1:
        return 1.0, 0.0, 0.0
    return near, far, min(cosine, 1.0)


@njit(cache=True, nogil=True)
def hit_ellipsoid(prim, ox, oy, oz, dx, dy, dz):
    """The same for an ellipsoid of half axes prim[6], prim[10], (z1 - z0) / 2."""
    rz = 0.5 * (prim[13] - prim[12])
    x, y, z = (ox - prim[5]) / prim[6], (oy - prim[9]) / prim[10], (oz - prim[12] - rz) / rz
    ux, uy, uz = dx / prim[6], dy / prim[10], dz / rz
    a = ux * ux + uy * uy + uz * uz
    b = x * ux + y * uy + z * uz
    root = b * b - a * (x * x + y * y + z * z - 1.0)
    if root <= 0.0:
        return 1.0, 0.0, 0.0
    root = math.sqrt(root)
    near, far = (-b - root) / a, (-b + root) / a
    if near <= 0.0:
        return 1.0, 0.0, 0.0
    nx, ny, nz = (x + near * ux) / prim[6], (y + near * uy) / prim[10], (z + near * uz) / rz
    return near, far, abs(nx * dx + ny * dy + nz * dz) / math.sqrt(nx * nx + ny * ny + nz * nz)
