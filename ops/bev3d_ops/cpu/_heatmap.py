"""Heatmap targets in Numba. Serial and without a thread pool, so that forked data loader workers may call it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bev3d_ops.cpu._heatmap_kernel import CORNERNET, LEGACY, NO_RULE, SQRT_AREA, WIDEST, encode_kernel, splat_kernel
from bev3d_ops.reference._heatmap import Encoded, EncodeGrid, empty_slots

__all__ = [
    "CORNERNET",
    "LEGACY",
    "NO_RULE",
    "SQRT_AREA",
    "WIDEST",
    "Encoding",
    "Marks",
    "RadiusRule",
    "encode_boxes",
    "encoding",
    "gaussian_tables",
    "splat",
]


class RadiusRule(NamedTuple):
    """Radius of an object's Gaussian, max(least, floor(r)), r by ``kind`` as in ``bev3d.targets.gaussian_radius``.

    Attributes:
        kind: CORNERNET, LEGACY, SQRT_AREA, or NO_RULE: radii stay 0.
        overlap: of the first two.
        least: cells.
        cell_m: cell along the axis in which lengths, and in which widths are counted.
    """

    kind: int
    overlap: float
    least: float
    cell_m: tuple[float, float]


class Encoding(NamedTuple):
    """What :func:`encode_boxes` asks for beside the boxes, made once by :func:`encoding`.

    Attributes:
        classes: (4, classes) of each class its task, its place there, the classes of the tasks before, and the classes
            of its task. In a stack of planes task by task, then sample by sample, class c of sample b of B is plane
            ``before * B + b * each + place``.
        limits: (12,) range, cell, the rule's cell, its overlap and least radius.
        kind: of radius.
        columns, rows: cells of a map.
        tasks, max_objects: their numbers.
    """

    classes: NDArray[np.int64]
    limits: NDArray[np.float64]
    kind: int
    columns: int
    rows: int
    tasks: int
    max_objects: int


def encoding(task_sizes: Sequence[int], grid: EncodeGrid, max_objects: int, rule: RadiusRule) -> Encoding:
    """See :class:`Encoding`; ``task_sizes``: the number of classes of each task."""
    sizes = np.array(task_sizes)
    task = np.repeat(np.arange(len(sizes)), sizes)
    before = (np.cumsum(sizes) - sizes)[task]
    classes = np.stack([task, np.arange(len(task)) - before, before, sizes[task]])
    limits = np.array([*grid.range_m, *grid.cell_m, *rule.cell_m, rule.overlap, rule.least], np.float64)
    return Encoding(classes, limits, rule.kind, grid.columns, grid.rows, len(sizes), max_objects)


class Marks(NamedTuple):
    """Of each of N boxes the plane and the radius of its Gaussian, int64; radius -1 where the box is not kept."""

    plane: NDArray[np.int64]
    radius: NDArray[np.int64]


def encode_boxes(
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    offsets: NDArray[np.int64],
    how: Encoding,
    planes: NDArray[np.float32] | None = None,
) -> tuple[Encoded, Marks] | None:
    """As ``bev3d_ops.reference._heatmap.encode_boxes``, in one pass over the boxes that checks and draws them too.

    Args:
        boxes, labels, offsets: see there.
        how: see :func:`encoding`.
        planes: (P, H, W), C-contiguous: the kept boxes are drawn there; None: nothing is.

    Returns:
        None where a box has a non-finite entry or a size <= 0, or a label is no class: then ``planes`` are garbage.
    """
    out = empty_slots(how.tasks, len(offsets) - 1, how.max_objects, len(boxes))
    marks = Marks(np.zeros(len(boxes), np.int64), np.zeros(len(boxes), np.int64))
    if not len(boxes):
        return out, marks
    canvas = np.empty((0, 0, 0), np.float32) if planes is None else planes
    settings = how.classes, how.limits, how.columns, how.rows, how.kind
    wide = encode_kernel(boxes, labels, offsets, *settings, *out, *marks, canvas, *gaussian_tables())
    if wide < 0:
        return None
    if wide and planes is not None:
        chosen = np.flatnonzero(marks.radius > WIDEST)
        _splat_wide(planes, marks.plane[chosen], out.column[chosen], out.row[chosen], marks.radius[chosen])
    return out, marks


def splat(
    planes: NDArray[np.float32],
    plane_index: NDArray[np.int64],
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    radii: NDArray[np.int64],
) -> None:
    """Raise ``planes`` (P, H, W) in place to the maximum of itself and one Gaussian per object.

    Args:
        planes: C-contiguous.
        plane_index, columns, rows, radii: (N,); what lies outside the planes, or has a radius < 0, draws nothing.
    """
    if splat_kernel(planes, plane_index, columns, rows, radii, *gaussian_tables()):
        chosen = np.flatnonzero(radii > WIDEST)
        _splat_wide(planes, *(values[chosen] for values in (plane_index, columns, rows, radii)))


@lru_cache(maxsize=1)
def gaussian_tables() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gaussians of all radii up to WIDEST, one behind the other, and where each starts.

    That of radius r has rows |dy| = 0 .. r of columns dx = -r .. r. The values are taken from NumPy's exp in float64,
    then rounded: so they are, bit for bit, what a loop over NumPy arrays writes into a float32 map.
    """
    tables = [_gaussian(np.arange(-r, r + 1), np.arange(0, r + 1), r) for r in range(WIDEST + 1)]
    starts = np.cumsum([0, *(table.size for table in tables)])
    return np.concatenate([table.ravel() for table in tables]), starts


def _gaussian(x: NDArray[np.int64], y: NDArray[np.int64], radius: int) -> NDArray[np.float32]:
    """(len(y), len(x)). At its corner, exp(-9), it is far above the eps at which the published code cuts off."""
    sigma = (2 * radius + 1) / 6
    across, along = x.astype(np.float64)[None, :], y.astype(np.float64)[:, None]
    gaussian: NDArray[np.float32] = np.exp(-(across * across + along * along) / (2 * sigma * sigma)).astype(np.float32)
    return gaussian


def _splat_wide(
    planes: NDArray[np.float32],
    plane_index: NDArray[np.int64],
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    radii: NDArray[np.int64],
) -> None:
    """As :func:`splat` for radii without a table: rare, and dear for their size alone."""
    count, height, width = planes.shape
    for p, u, v, r in zip(*(values.tolist() for values in (plane_index, columns, rows, radii)), strict=True):
        if 0 <= p < count and 0 <= u < width and 0 <= v < height:
            x, y = np.arange(max(-u, -r), min(width - u, r + 1)), np.arange(max(-v, -r), min(height - v, r + 1))
            window = planes[p, v + y[0] : v + y[-1] + 1, u + x[0] : u + x[-1] + 1]
            np.maximum(window, _gaussian(x, y, r), out=window)
