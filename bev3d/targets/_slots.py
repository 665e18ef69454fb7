"""From the encoder's slots to the records of :class:`bev3d.targets.Targets`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
    device, tasks, samples = heatmaps[0].device, len(heatmaps), len(heatmaps[0])
    arrays = (slots.indices, slots.mask, slots.pairs, slots.height, slots.log_size)
    tables = [torch.from_numpy(array) for array in arrays]
    if device.type != "cpu":
        tables = [table.to(device) for table in tables]
    # Making a tensor is what costs here: so one call gives all of one shape. "Unsafe" concerns gradients, which targets
    # have none of; it is the cheapest, and a part that is changed in place does not count as a change of the others.
    once, thrice = [samples] * tasks, [samples] * (3 * tasks)
    index, mask, pair, height, size = (
        table.unsafe_split_with_sizes(sizes)
        for table, sizes in zip(tables, (thrice, once, thrice, once, once), strict=True)
    )
    return tuple(
        [
            TaskTargets(
                heatmaps[t], index[t], index[tasks + t], index[2 * tasks + t], mask[t],
                {
                    "offset": pair[t], "height": height[t], "log_size": size[t],
                    "heading": pair[tasks + t], "velocity": pair[2 * tasks + t],
                },
            )
            for t in range(tasks)
        ]
    )  # fmt: skip


def dropped_boxes(reason: NDArray[np.int64], offsets: NDArray[np.int64]) -> tuple[dict[int, DropReason], ...]:
    """Of each sample the boxes that are not kept, and why."""
    result: list[dict[int, DropReason]] = []
    for start, end in pairwise(offsets.tolist()):
        codes = reason[start:end]
        result.append({i: _REASONS[int(codes[i])] for i in codes.nonzero()[0].tolist()})
    return tuple(result)
