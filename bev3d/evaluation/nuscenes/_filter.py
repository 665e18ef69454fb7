"""Which boxes count: those in the range of their class, with points, outside bicycle racks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._blas import rotation_matrices
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._protocol import CLASS_RANGES_M, RACKED_CLASSES

__all__ = ["ego_distances", "keep_what_counts"]

Mask = NDArray[np.bool_]

# Half width, length and height are multiplied by these for the corner that three edges start from and for their ends.
_CORNER_SIGNS = np.array(
    [[1, 1, 1, 1, -1, -1, -1, -1], [1, -1, -1, 1, 1, -1, -1, 1], [1, 1, -1, -1, 1, 1, -1, -1]], dtype=np.int64
)
_ORIGIN, _EDGE_ENDS = 0, (4, 1, 3)


def ego_distances(boxes: BoxColumns, ego_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) metres from the vehicle to box centres, seen from above.

    Args:
        boxes: N boxes.
        ego_xy: (S, 2) vehicle in the global frame, by sample.
    """
    offset = boxes.translation[:, :2] - ego_xy[boxes.sample]
    with np.errstate(over="ignore"):  # a box at 1e200 m is out of range like any other
        return np.sqrt(offset[:, 0] * offset[:, 0] + offset[:, 1] * offset[:, 1])


def keep_what_counts(
    boxes: BoxColumns, racks: BoxColumns, ego_xy: NDArray[np.float64], band_m: tuple[float, float] | None = None
) -> BoxColumns:
    """Boxes that the benchmark looks at, in the same order.

    Args:
        boxes: N boxes.
        racks: bicycle racks of the same samples, whatever their distance.
        ego_xy: (S, 2) vehicle in the global frame, by sample.
        band_m: keep only ``band_m[0] <= distance < band_m[1]`` besides.
    """
    distance = ego_distances(boxes, ego_xy)
    keep = (distance < np.array(CLASS_RANGES_M)[boxes.label]) & (boxes.num_points != 0)
    if band_m is not None:
        keep &= (distance >= band_m[0]) & (distance < band_m[1])
    _drop_racked(keep, boxes, racks)
    return boxes.take(np.flatnonzero(keep))


def _drop_racked(keep: Mask, boxes: BoxColumns, racks: BoxColumns) -> None:
    racked = [DETECTION_CLASSES.index(name) for name in RACKED_CLASSES]
    candidates = np.flatnonzero(keep & np.isin(boxes.label, racked) & np.isin(boxes.sample, racks.sample))
    if not len(candidates):
        return
    matrices = rotation_matrices(racks.rotation)
    reach = np.linalg.norm(racks.size, axis=1)  # twice as far as any corner
    of_sample: dict[int, list[int]] = {}
    for k, sample in enumerate(racks.sample.tolist()):
        of_sample.setdefault(sample, []).append(k)
    for i in candidates:
        near = of_sample[int(boxes.sample[i])]
        offset = np.abs(racks.translation[near] - boxes.translation[i]).max(axis=1)
        near = [k for k, d in zip(near, offset, strict=True) if d <= reach[k]]
        keep[i] = not _in_any(boxes.translation[i], near, racks, matrices)


def _in_any(point: NDArray[np.float64], near: Sequence[int], racks: BoxColumns, matrices: NDArray[np.float64]) -> bool:
    for k in near:
        width, length, height = racks.size[k]
        corners = np.array([[length / 2], [width / 2], [height / 2]]) * _CORNER_SIGNS
        # One point at a time, and a matrix with the strides it has in pyquaternion: the border of a rack is then the
        # devkit's border to the last bit.
        corners = np.dot(matrices[k], corners) + racks.translation[k][:, None]
        to_point = point.reshape(3, 1) - corners[:, [_ORIGIN]]
        edges = [corners[:, end] - corners[:, _ORIGIN] for end in _EDGE_ENDS]
        if all(0 <= np.dot(edge, to_point)[0] <= np.dot(edge, edge) for edge in edges):
            return True
    return False
