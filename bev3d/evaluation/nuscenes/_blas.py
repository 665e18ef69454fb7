"""Lengths and rotations to the last bit of what the devkit computes box by box.

The devkit takes lengths as ``np.linalg.norm`` and rotations as pyquaternion does, by products of 4x4 matrices. Both end
in BLAS, whose kernels for one processor fuse multiplication and addition and for another do not. A stack given to
``np.matmul`` goes through the very same routines pair by pair, so that the bits agree whatever the kernel is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["angle_errors", "lengths", "rotation_matrices", "yaws"]

Floats = NDArray[np.float64]

UNIT_TOLERANCE = 1e-14


def lengths(vectors: Floats) -> Floats:
    """Euclidean lengths of (N, D) vectors."""
    return np.sqrt(_squares(vectors))


def _squares(vectors: Floats) -> Floats:
    rows = np.ascontiguousarray(vectors)
    squares: Floats = np.matmul(rows[:, None, :], rows[:, :, None])[:, 0, 0]
    return squares


def rotation_matrices(quaternions: Floats) -> Floats:
    """(N, 3, 3) of (N, 4) quaternions w, x, y, z, normalised first unless they are unit ones to 1e-14.

    R is the lower right block of Q(q) Q'(q)^T, where Q(q) p = q p and Q'(q) p = p q. The result is a view into 4x4
    matrices: products with it then go through BLAS as they do in pyquaternion.
    """
    squares = _squares(quaternions)
    scale = np.where(np.abs(1.0 - squares) < UNIT_TOLERANCE, 1.0, np.sqrt(squares))
    w, x, y, z = (quaternions / scale[:, None]).T
    left = np.stack([w, -x, -y, -z, x, w, -z, y, y, z, w, -x, z, -y, x, w], axis=1).reshape(-1, 4, 4)
    right = np.stack([w, -x, -y, -z, x, w, z, -y, y, -z, w, x, z, y, -x, w], axis=1).reshape(-1, 4, 4)
    products: Floats = np.matmul(left, right.transpose(0, 2, 1))
    return products[:, 1:, 1:]


def yaws(quaternions: Floats) -> Floats:
    """Heading of (N, 4) quaternions: angle of the rotated x axis seen from above, in [-pi, pi]."""
    matrices = rotation_matrices(quaternions)
    # Adding 0 makes 0 of -0, as the product with (1, 0, 0) does; arctan2 would make a half turn of it.
    return np.arctan2(matrices[:, 1, 0] + 0.0, matrices[:, 0, 0] + 0.0)


def angle_errors(first: Floats, second: Floats, period: float) -> Floats:
    """Least absolute differences of angles that mean the same a ``period`` apart, in [0, pi]."""
    difference = (first - second + period / 2) % period - period / 2
    return np.abs(np.where(difference > np.pi, difference - 2 * math.pi, difference))
