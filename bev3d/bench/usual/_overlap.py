"""The usual kernel of rotated overlap, restated in Numba, and an exact clipper to judge by.

Usual: crossings of all edges with all edges, corners of each box inside the other, sorted by angle about their mean,
area of the fan. Which points belong is decided with tolerances, in the dtype of the boxes.
"""
# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["aligned_clipped", "aligned_usual", "pairwise_clipped", "pairwise_usual"]

_PARALLEL = 1e-8


@njit(cache=True, error_model="numpy")
def _corners(box, xs, ys):
    c, s = math.cos(box[6]), math.sin(box[6])
    for k in range(4):
        p = box[3] * (0.5 if k == 0 or k == 3 else -0.5)
        q = box[4] * (0.5 if k < 2 else -0.5)
        xs[k] = box[0] + p * c - q * s
        ys[k] = box[1] + p * s + q * c


@njit(cache=True, error_model="numpy")
def _inside(x, y, box, margin):
    c, s = math.cos(box[6]), math.sin(box[6])
    dx, dy = x - box[0], y - box[1]
    return abs(dx * c + dy * s) < box[3] / 2 + margin and abs(dy * c - dx * s) < box[4] / 2 + margin


@njit(cache=True, error_model="numpy")
def _usual_area(a, b, margin, zero, work):
    ax, ay, bx, by = work[0, :4], work[1, :4], work[2, :4], work[3, :4]
    xs, ys, angles = work[4], work[5], work[6]
    _corners(a, ax, ay)
    _corners(b, bx, by)
    n = 0
    for i in range(4):
        ux, uy = ax[(i + 1) % 4] - ax[i], ay[(i + 1) % 4] - ay[i]
        for j in range(4):
            vx, vy = bx[(j + 1) % 4] - bx[j], by[(j + 1) % 4] - by[j]
            cross = ux * vy - uy * vx
            if abs(cross) < _PARALLEL:
                continue
            wx, wy = bx[j] - ax[i], by[j] - ay[i]
            t = (wx * vy - wy * vx) / cross
            u = (wx * uy - wy * ux) / cross
            if t >= zero and t <= 1 and u >= zero and u <= 1:
                xs[n], ys[n] = ax[i] + t * ux, ay[i] + t * uy
                n += 1
    for k in range(4):
        if _inside(ax[k], ay[k], b, margin):
            xs[n], ys[n] = ax[k], ay[k]
            n += 1
        if _inside(bx[k], by[k], a, margin):
            xs[n], ys[n] = bx[k], by[k]
            n += 1
    if n < 3:
        return zero
    return _fan_area(xs[:n], ys[:n], angles[:n], zero)


@njit(cache=True, error_model="numpy")
def _fan_area(xs, ys, angles, zero):
    n = len(xs)
    mx, my = zero, zero
    for k in range(n):
        mx += xs[k]
        my += ys[k]
    mx, my = mx / n, my / n
    for k in range(n):
        angles[k] = math.atan2(ys[k] - my, xs[k] - mx)
    for k in range(1, n):
        x, y, angle, at = xs[k], ys[k], angles[k], k - 1
        while at >= 0 and angles[at] > angle:
            xs[at + 1], ys[at + 1], angles[at + 1] = xs[at], ys[at], angles[at]
            at -= 1
        xs[at + 1], ys[at + 1], angles[at + 1] = x, y, angle
    area = zero
    for k in range(1, n - 1):
        area += (xs[k] - xs[0]) * (ys[k + 1] - ys[0]) - (xs[k + 1] - xs[0]) * (ys[k] - ys[0])
    return abs(area) / 2


@njit(cache=True, error_model="numpy")
def _usual_iou(a, b, margin, zero, work):
    both = _usual_area(a, b, margin, zero, work)
    return both / max(a[3] * a[4] + b[3] * b[4] - both, zero + 1e-8)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_usual(a, b, margin, zero, matrix):
    work = np.empty((7, 24), a.dtype)
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            # aligned: one column
            partner = b[i] if matrix.shape[1] == 1 else b[j]
            matrix[i, j] = _usual_iou(a[i], partner, margin, zero, work)


def aligned_usual(a: np.ndarray, b: np.ndarray, margin: float) -> np.ndarray:
    """IoU (N,) of the footprints of boxes a and b (N, 7), in their dtype.

    Args:
        margin: metres by which a corner may lie outside and still count; 1e-2 in the kernels of 3D detectors.
    """
    matrix = np.empty((len(a), 1), a.dtype)
    _fill_usual(a, b, a.dtype.type(margin), a.dtype.type(0), matrix)
    return matrix[:, 0]


def pairwise_usual(a: np.ndarray, b: np.ndarray, margin: float) -> np.ndarray:
    """IoU matrix (N, M) of the footprints; see :func:`aligned_usual`. M has to be 2 at least."""
    matrix = np.empty((len(a), len(b)), a.dtype)
    _fill_usual(a, b, a.dtype.type(margin), a.dtype.type(0), matrix)
    return matrix


@njit(cache=True, error_model="numpy")
def _clip(xs, ys, n, along_x, sign, half, kept_x, kept_y):
    """What of a polygon has sign * coordinate <= half (Sutherland and Hodgman, 1974), without any tolerance."""
    m = 0
    for k in range(n):
        before = k - 1 if k else n - 1
        x0, y0, x1, y1 = xs[before], ys[before], xs[k], ys[k]
        out0 = sign * (x0 if along_x else y0) - half
        out1 = sign * (x1 if along_x else y1) - half
        if (out0 > 0) != (out1 > 0):
            t = out0 / (out0 - out1)
            kept_x[m] = sign * half if along_x else x0 + t * (x1 - x0)
            kept_y[m] = y0 + t * (y1 - y0) if along_x else sign * half
            m += 1
        if out1 <= 0:
            kept_x[m], kept_y[m] = x1, y1
            m += 1
    return m


@njit(cache=True, error_model="numpy")
def _clipped_iou(a, b, work):
    """In the frame of ``a``, on the difference of the centres, in float64."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    reach = (math.hypot(a[3], a[4]) + math.hypot(b[3], b[4])) / 2
    smallest = min(min(a[3], a[4]), min(b[3], b[4]))
    if not (smallest > 0 and dx * dx + dy * dy <= reach * reach * (1 + 1e-9)):
        return 0.0
    c, s = math.cos(a[6]), math.sin(a[6])
    x, y = c * dx + s * dy, c * dy - s * dx
    c, s = math.cos(b[6] - a[6]), math.sin(b[6] - a[6])
    for k in range(4):
        p = b[3] * (0.5 if k == 0 or k == 3 else -0.5)
        q = b[4] * (0.5 if k < 2 else -0.5)
        work[0, k], work[1, k] = x + p * c - q * s, y + p * s + q * c
    n = _clip(work[0], work[1], 4, True, 1.0, a[3] / 2, work[2], work[3])
    n = _clip(work[2], work[3], n, True, -1.0, a[3] / 2, work[0], work[1])
    n = _clip(work[0], work[1], n, False, 1.0, a[4] / 2, work[2], work[3])
    n = _clip(work[2], work[3], n, False, -1.0, a[4] / 2, work[0], work[1])
    both = 0.0
    for k in range(1, n - 1):
        x1, y1 = work[0, k] - work[0, 0], work[1, k] - work[1, 0]
        x2, y2 = work[0, k + 1] - work[0, 0], work[1, k + 1] - work[1, 0]
        both += x1 * y2 - x2 * y1
    both = max(both / 2, 0.0)
    return both / (a[3] * a[4] + b[3] * b[4] - both)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_clipped(a, b, matrix):
    work = np.empty((4, 12))
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            matrix[i, j] = _clipped_iou(a[i], b[i] if matrix.shape[1] == 1 else b[j], work)


def aligned_clipped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU (N,) of the footprints by clipping polygons, float64, right to about 1e-15."""
    matrix = np.empty((len(a), 1))
    _fill_clipped(a.astype(np.float64), b.astype(np.float64), matrix)
    return matrix[:, 0]


def pairwise_clipped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU matrix (N, M) of the footprints by clipping polygons; M has to be 2 at least."""
    matrix = np.empty((len(a), len(b)))
    _fill_clipped(a.astype(np.float64), b.astype(np.float64), matrix)
    return matrix
