"""The compiled part of the heatmap targets."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.reference._heatmap import KEPT, NOT_A_CLASS, OUTSIDE_RANGE, OVER_MAX_OBJECTS

__all__ = ["CORNERNET", "LEGACY", "NO_RULE", "SQRT_AREA", "WIDEST", "encode_kernel", "splat_kernel"]

WIDEST = 64  # radius up to which Gaussians are tabulated
CORNERNET, LEGACY, SQRT_AREA, NO_RULE = 0, 1, 2, -1
_LARGEST_RADIUS = 2**31 - 1


@njit(cache=True, nogil=True)
def encode_kernel(
    boxes, labels, offsets, classes, limits, columns, rows, kind,
    indices, mask, pairs, height, log_size, fate, plane, radius, canvas, tables, starts,
):  # fmt: skip
    """Fill the slots and draw; the number of radii without a table, or -1 where the input is not sound."""
    for i in range(len(boxes)):
        if not _is_sound(boxes[i]) or not -1 <= labels[i] < classes.shape[1]:
            return -1
    _encode(
        boxes, labels, offsets, classes, limits, columns, rows,
        indices, mask, pairs, height, log_size, fate[0], fate[1], fate[2],
    )  # fmt: skip
    samples = len(offsets) - 1
    for sample in range(samples):
        for i in range(offsets[sample], offsets[sample + 1]):
            if fate[0, i] == KEPT:
                c = labels[i]
                plane[i] = classes[2, c] * samples + sample * classes[3, c] + classes[1, c]
                radius[i] = _whole(boxes[i, 3] / limits[8], boxes[i, 4] / limits[9], kind, limits[10], limits[11])
            else:
                radius[i] = -1
    if len(canvas) and kind != NO_RULE:
        return splat_kernel(canvas, plane, fate[1], fate[2], radius, tables, starts)
    return 0


@njit(nogil=True)
def _is_sound(box):
    for k in range(7):
        if not math.isfinite(box[k]):
            return False
    return box[3] > 0 and box[4] > 0 and box[5] > 0


@njit(nogil=True)
def _encode(
    boxes, labels, offsets, classes, limits, columns, rows,
    indices, mask, pairs, height, log_size, reason, column, row,
):  # fmt: skip
    samples, slots = len(offsets) - 1, mask.shape[1]
    rows_of_field = len(mask)
    used = np.zeros(rows_of_field // max(samples, 1), np.int64)
    for sample in range(samples):
        used[:] = 0
        for i in range(offsets[sample], offsets[sample + 1]):
            if labels[i] < 0:
                reason[i] = NOT_A_CLASS
                continue
            x, y, z = boxes[i, 0], boxes[i, 1], boxes[i, 2]
            across, along = (x - limits[0]) / limits[6], (y - limits[1]) / limits[7]
            u, v = math.floor(across), math.floor(along)
            inside = limits[0] <= x < limits[3] and limits[1] <= y < limits[4] and limits[2] <= z < limits[5]
            # rounding may carry a centre just below the upper end into the cell behind it
            if not (inside and 0 <= u < columns and 0 <= v < rows):
                reason[i] = OUTSIDE_RANGE
                continue
            t = classes[0, labels[i]]
            j = used[t]
            if j == slots:
                reason[i] = OVER_MAX_OBJECTS
                continue
            used[t] += 1
            reason[i], column[i], row[i] = KEPT, int(u), int(v)
            first = t * samples + sample
            second, third = first + rows_of_field, first + 2 * rows_of_field
            indices[first, j], indices[second, j] = int(v) * columns + int(u), classes[1, labels[i]]
            indices[third, j] = i - offsets[sample]
            mask[first, j], height[first, j, 0] = True, z
            for k in range(3):
                log_size[first, j, k] = math.log(boxes[i, 3 + k])
            pairs[first, j, 0], pairs[first, j, 1] = across - u, along - v
            pairs[second, j, 0], pairs[second, j, 1] = math.sin(boxes[i, 6]), math.cos(boxes[i, 6])
            pairs[third, j, 0], pairs[third, j, 1] = boxes[i, 7], boxes[i, 8]


@njit(nogil=True)
def _radius(length, width, kind, o):
    """In the order of operations of ``bev3d.targets.gaussian_radius``, so that both floor to the same cell count."""
    if kind == SQRT_AREA:
        return math.sqrt(length * width) / 2
    total = length + width
    a1, b1, c1 = 1.0, total, width * length * (1 - o) / (1 + o)
    a2, b2, c2 = 4.0, 2 * total, (1 - o) * width * length
    a3, b3, c3 = 4 * o, -2 * o * total, (o - 1) * width * length
    root1 = math.sqrt(max(b1 * b1 - 4 * a1 * c1, 0.0))
    root2 = math.sqrt(max(b2 * b2 - 4 * a2 * c2, 0.0))
    root3 = math.sqrt(max(b3 * b3 - 4 * a3 * c3, 0.0))
    if kind == LEGACY:
        return min((b1 + root1) / 2, (b2 + root2) / 2, (b3 + root3) / 2)
    return min((b1 - root1) / (2 * a1), (b2 - root2) / (2 * a2), (b3 + root3) / (2 * a3))


@njit(nogil=True)
def _whole(length, width, kind, o, least):
    """max(least, floor(radius)); 0 without a rule, the largest for sizes whose squares overflow."""
    if kind == NO_RULE:
        return 0
    radius = _radius(length, width, kind, o)
    if not radius < _LARGEST_RADIUS:
        return _LARGEST_RADIUS
    return int(max(math.floor(radius), math.floor(least)))


@njit(cache=True, nogil=True)
def splat_kernel(planes, plane_index, columns, rows, radii, tables, starts):
    """Draw; the number of radii without a table."""
    count, height, width = planes.shape
    wide = 0
    for i in range(len(radii)):
        p, u, v, r = plane_index[i], columns[i], rows[i], radii[i]
        if not (0 <= p < count and 0 <= u < width and 0 <= v < height and r >= 0):
            continue
        if r > WIDEST:
            wide += 1
        else:
            _draw(planes[p], u, v, r, tables, starts)
    return wide


@njit(nogil=True)
def _draw(plane, u, v, r, tables, starts):
    height, width = plane.shape
    first, last = max(u - r, 0), min(u + r + 1, width)
    for row in range(max(v - r, 0), min(v + r + 1, height)):
        start = starts[r] + abs(row - v) * (2 * r + 1) + first - (u - r)
        target, gaussian = plane[row, first:last], tables[start : start + last - first]
        for k in range(len(target)):
            target[k] = max(target[k], gaussian[k])
