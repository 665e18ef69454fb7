"""From the encoder's slots to the records of :class:`bev3d.targets.Targets`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.targets._record import DropReason, TaskTargets
from bev3d_ops.reference._heatmap import NOT_A_CLASS, OUTSIDE_RANGE, OVER_MAX_OBJECTS, Encoded

__all__ = ["dropped_boxes", "task_targets"]

_REASONS: dict[int, DropReason] = {
    OUTSIDE_RANGE: "outside_range",
    NOT_A_CLASS: "not_a_class",
    OVER_MAX_OBJECTS: "over_max_objects",
}


def task_targets(slots: Encoded, heatmaps: Sequence[Tensor]) -> tuple[TaskTargets, ...]:
    """Of each task its record, on the device of the heatmaps (B, C_t, H, W)."""
    device, tasks = heatmaps[0].device, len(heatmaps)
    # making a tensor is what costs here: one call for all that has one shape, and none to say where it is already
    cells, classes, boxes = _by_task(slots.indices, 3, tasks, device)
    offsets, headings, velocities = _by_task(slots.pairs, 3, tasks, device)
    (masks,), (heights,), (sizes,) = (
        _by_task(values, 1, tasks, device) for values in (slots.mask, slots.height, slots.log_size)
    )
    each = zip(heatmaps, cells, classes, boxes, masks, offsets, heights, sizes, headings, velocities, strict=True)
    return tuple(
        TaskTargets(
            heatmap, cell, class_, box, mask,
            {"offset": offset, "height": height, "log_size": size, "heading": heading, "velocity": velocity},
        )
        for heatmap, cell, class_, box, mask, offset, height, size, heading, velocity in each
    )  # fmt: skip


def _by_task(values: NDArray[Any], fields: int, tasks: int, device: torch.device) -> list[Sequence[Tensor]]:
    """Of values (fields, T, B, M, ...), or without the first where there is one field, (B, M, ...) of each task."""
    has_fields = fields > 1
    samples, *shape = values.shape[1 + has_fields :]
    table = torch.from_numpy(values.reshape(fields * tasks * samples, *shape))
    parts = (table if device.type == "cpu" else table.to(device)).split_with_sizes([samples] * (fields * tasks))
    return [parts[k * tasks : (k + 1) * tasks] for k in range(fields)]


def dropped_boxes(reason: NDArray[np.int8], offsets: NDArray[np.int64]) -> tuple[dict[int, DropReason], ...]:
    """Of each sample the boxes that are not kept, and why."""
    result: list[dict[int, DropReason]] = []
    for start, end in pairwise(offsets.tolist()):
        codes = reason[start:end]
        result.append({i: _REASONS[int(codes[i])] for i in codes.nonzero()[0].tolist()})
    return tuple(result)
