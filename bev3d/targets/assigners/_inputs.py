"""What the assigners accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d._check import check_boxes, check_choice, check_positive_sizes
from bev3d.boxes import Box, wrap_angle
from bev3d.overlap import pairwise_intersection_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d.points._check import as_index, as_tensors
from bev3d.targets.assigners._assignment import IGNORED, NEGATIVE, Array

__all__ = [
    "OVERLAPS",
    "Objects",
    "check_count",
    "check_overlap",
    "check_unit",
    "mark_ignored",
    "nearest_axes",
    "overlaps_of",
    "read_inputs",
    "rows_at_once",
    "rows_of",
]

OVERLAPS = ("bev", "3d", "nearest_bev")
_MOST_PAIRS = 4_000_000


@dataclass(frozen=True, eq=False)
class Objects:
    """Anchors and objects of a frame in float64, on the device of the anchors.

    Attributes:
        anchors: (A, 7).
        boxes: (G, 7), those that are to be found.
        labels: (G,) on the CPU.
        index: (G,) on the CPU: their rows among the objects given.
        ignored: (I, 7), objects of label -1.
        all_labels: labels of all the objects given, on the CPU.
    """

    anchors: Tensor
    boxes: Tensor
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    ignored: Tensor
    all_labels: NDArray[np.int64]


def read_inputs(name: str, anchors: Array, boxes: Array, labels: Array) -> Objects:
    """Check and split; see :func:`assign_max_iou` for what is accepted."""
    for what, value in ((name, anchors), ("boxes", boxes)):
        check_boxes(what, value)
        if value.ndim != 2:
            raise ValueError(f"{what}: expected shape (N, 7 or 9), got {tuple(value.shape)}")
    labels = as_index("labels", labels, len(boxes))
    tensors: list[Tensor] = as_tensors(name, anchors, boxes=boxes, labels=labels)
    anchor, box, label = (value.detach() for value in tensors)
    on_cpu = label.cpu().numpy()
    if (on_cpu < -1).any():
        bad = int(np.flatnonzero(on_cpu < -1)[0])
        raise ValueError(f"labels: expected a class or -1 for an object to ignore, got {on_cpu[bad]} for box {bad}")
    wanted = label >= 0
    double = _in_float64(box)
    check_positive_sizes("boxes", _sound(double, wanted))
    index = np.flatnonzero(on_cpu >= 0)
    return Objects(_in_float64(anchor), double[wanted], on_cpu[index], index, double[~wanted], on_cpu)


def _in_float64(boxes: Tensor) -> Tensor:
    """(N, 7)."""
    if boxes.device.type == "cpu" and boxes.dtype == torch.float32:
        # NumPy's, since torch's thread pool costs milliseconds where the cores are busy
        return torch.from_numpy(boxes.numpy()[:, :7].astype(np.float64))
    return boxes[:, :7].double()


def _sound(boxes: Tensor, wanted: Tensor) -> Tensor:
    """The boxes, with one that passes every check in the place of those to ignore, which may be anything."""
    return torch.where(wanted[:, None], boxes, torch.ones_like(boxes))


def rows_of(boxes: Tensor, rows: NDArray[np.int64] | None) -> Tensor:
    """Some rows, or all of them."""
    if rows is None:
        return boxes
    if boxes.device.type == "cpu":
        return torch.from_numpy(boxes.numpy()[rows])
    return boxes[torch.from_numpy(rows).to(boxes.device)]


def nearest_axes(boxes: Tensor) -> Tensor:
    """Boxes turned to the nearer of the x and y axes; at 45 degrees exactly, length and width change places."""
    turned = wrap_angle(boxes[:, Box.YAW], period=np.pi).abs() >= np.pi / 4
    result = boxes.clone()
    result[:, Box.LENGTH] = torch.where(turned, boxes[:, Box.WIDTH], boxes[:, Box.LENGTH])
    result[:, Box.WIDTH] = torch.where(turned, boxes[:, Box.LENGTH], boxes[:, Box.WIDTH])
    result[:, Box.YAW] = 0 * boxes[:, Box.YAW]
    return result


def overlaps_of(anchors: Tensor, boxes: Tensor, overlap: str) -> Tensor:
    """(A, G) of the kind that ``overlap`` names."""
    if overlap == "3d":
        return pairwise_iou_3d(anchors, boxes)
    if overlap == "nearest_bev":
        anchors, boxes = nearest_axes(anchors), nearest_axes(boxes)
    return pairwise_iou_bev(anchors, boxes)


def rows_at_once(columns: int) -> int:
    """Rows of a matrix that may exist at a time."""
    return max(1, _MOST_PAIRS // max(columns, 1))


def mark_ignored(gt_index: NDArray[np.int64], objects: Objects, ignore_overlap: float | None) -> None:
    """Turn negatives into ignored where an object to ignore covers ``ignore_overlap`` of their footprint; in place."""
    if ignore_overlap is None or not len(objects.ignored) or not len(gt_index):
        return
    rows = rows_at_once(len(objects.ignored))
    covered = []
    for part in objects.anchors.split(rows):
        shared = pairwise_intersection_bev(part, objects.ignored).amax(dim=1)
        covered.append((shared >= ignore_overlap * part[:, Box.LENGTH] * part[:, Box.WIDTH]) & (shared > 0))
    gt_index[torch.cat(covered).cpu().numpy() & (gt_index == NEGATIVE)] = IGNORED


def check_overlap(overlap: str) -> None:
    """Raise unless it is the name of one."""
    check_choice("overlap", overlap, OVERLAPS)


def check_unit(name: str, value: float | None) -> None:
    """Raise unless a number lies in [0, 1]; None stands for not at all."""
    if value is not None and not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a number in [0, 1] or None, got {value}")


def check_count(name: str, value: Any) -> None:
    """Raise unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: expected a whole number >= 1, got {value!r}")
