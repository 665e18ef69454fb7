"""The detector's loss: heatmaps, regression by name, and overlap and corners of decoded boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d.config import Config
from bev3d.losses import (
    CompositeLoss,
    CompositeResult,
    corner_loss,
    gather_regression_loss,
    heatmap_focal_loss,
    rotated_iou_loss,
)
from bev3d.models._decode import boxes_at_cells, gather_cells
from bev3d.targets import Targets, TaskTargets

__all__ = ["DetectionLoss"]

VELOCITY_DELTA_MPS = 4.0

Outputs = Sequence[Mapping[str, Tensor]]


class DetectionLoss(nn.Module):
    """Weighted sum of the terms that a configuration asks for.

    With N_t the number of objects of task t in the batch, at least 1, a term is the sum over the tasks of its own
    sum / N_t (CenterPoint, Yin et al. 2021, arXiv 2006.11275). A batch that is spread over processes or taken in parts
    gives the same loss where N_t is counted over all of it: see :meth:`positives`.

    * ``heatmap``: penalty-reduced focal loss of all cells
    * ``regression/offset``, ``height``, ``log_size``, ``heading``: L1 at the objects' cells, times the weight of
      the name; ``regression/velocity``: Huber with delta 4 m/s, e²/2δ within it and abs(e) - δ/2 beyond
    * ``iou``: 1 - rotated 3D IoU, or its GIoU or DIoU form, of the boxes decoded there; where ``iou_weight`` > 0
    * ``corner``: mean distance of their eight corners in metres, whichever way they face; where ``corner_weight`` > 0

    Args:
        config: the weights, the kind of overlap and the grid.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        losses: dict[str, tuple[Callable[..., Any], float]] = {
            "heatmap": (self._heatmap, config.heatmap_weight),
            "regression": (self._regression, config.regression_weight),
        }
        if config.iou_weight > 0:
            losses["iou"] = (self._overlap, config.iou_weight)
        if config.corner_weight > 0:
            losses["corner"] = (self._corner, config.corner_weight)
        self.composite = CompositeLoss(losses)

    def positives(self, targets: Targets) -> Tensor:
        """(T,) float32, the number of objects of each task, which may be 0."""
        return torch.stack([task.mask.sum(dtype=torch.float32) for task in targets.tasks])

    def forward(self, outputs: Outputs, targets: Targets, *, positives: Tensor | None = None) -> CompositeResult:
        """Loss of a batch.

        Args:
            outputs: maps of every task, as :class:`bev3d.models.Detector` gives them.
            targets: of the same batch and tasks.
            positives: (T,) what the sums of each task are divided by, > 0; None: :meth:`positives`, at least 1.

        Returns:
            ``total`` with its graph, and the terms by name, detached.
        """
        counts = self.positives(targets).clamp(min=1) if positives is None else positives
        return self.composite(dict.fromkeys(self.composite.weights, (outputs, targets, counts)))

    def _heatmap(self, outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
        losses = [
            heatmap_focal_loss(maps["heatmap"], task.heatmap, reduction="sum") / count
            for maps, task, count in zip(outputs, targets.tasks, counts, strict=True)
        ]
        return _add(losses)

    def _regression(self, outputs: Outputs, targets: Targets, counts: Tensor) -> dict[str, Tensor]:
        weights = dict(self.config.regression_weights)
        velocity = {"velocity": weights.pop("velocity")}
        parts: dict[str, list[Tensor]] = {name: [] for name in (*weights, "velocity")}
        for maps, task, count in zip(outputs, targets.tasks, counts, strict=True):
            at = (maps, task.regression, task.cell_index, task.mask)
            losses = gather_regression_loss(*at, weights=weights, reduction="sum")
            losses |= gather_regression_loss(*at, weights=velocity, loss=_velocity_loss, reduction="sum")
            for name, loss in losses.items():
                parts[name].append(loss / count)
        return {name: _add(losses) for name, losses in parts.items()}

    def _overlap(self, outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
        kind = self.config.iou_kind
        losses = []
        for maps, task, count in zip(outputs, targets.tasks, counts, strict=True):
            boxes, truth = self._boxes(maps, task)
            losses.append(rotated_iou_loss(boxes, truth, kind=kind, space="3d", reduction="sum") / count)
        return _add(losses)

    def _corner(self, outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
        losses = []
        for maps, task, count in zip(outputs, targets.tasks, counts, strict=True):
            boxes, truth = self._boxes(maps, task)
            losses.append(corner_loss(boxes, truth, reduction="sum") / 8 / count)
        return _add(losses)

    def _boxes(self, maps: Mapping[str, Tensor], task: TaskTargets) -> tuple[Tensor, Tensor]:
        """Predicted and true boxes (N, 7) of the objects that a task holds."""
        cells, mask = task.cell_index, task.mask
        found = {name: gather_cells(maps[name], cells)[mask] for name in task.regression}
        wanted = {name: values[mask] for name, values in task.regression.items()}
        predicted = boxes_at_cells(found, cells[mask], self.config)
        return predicted, boxes_at_cells(wanted, cells[mask], self.config)


def _velocity_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Huber, not L1: most objects stand, so the median of the velocity is 0, and L1 never leaves it."""
    return functional.smooth_l1_loss(prediction, target, reduction="none", beta=VELOCITY_DELTA_MPS)


def _add(losses: Sequence[Tensor]) -> Tensor:
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total
