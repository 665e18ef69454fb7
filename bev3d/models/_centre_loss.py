"""The terms of a centre head's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.losses import (
    gather_regression_loss,
    gathered_heatmap_focal_loss,
    heatmap_focal_loss,
    iou_quality_target,
)
from bev3d.models._box_terms import PairLoss, box_terms, elementwise, hide_free, velocity_term
from bev3d.models._decode import boxes_at_cells, gather_cells
from bev3d.targets import Targets, TaskTargets

__all__ = ["CentreTerms"]

Maps = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class CentreBatch:
    """What the terms of a batch share, task by task.

    Attributes:
        maps: outputs of the head.
        targets: what they are compared with.
        counts: 0-dim number of objects, above 0.
        boxes: predicted and true boxes (..., 7), the latter NaN in free slots; None where no term asks for them.
        quality: predicted overlap (...) of those boxes, likewise.
    """

    maps: Sequence[Maps]
    targets: Sequence[TaskTargets]
    counts: Sequence[Tensor]
    boxes: Sequence[tuple[Tensor, Tensor]] | None
    quality: Sequence[Tensor] | None


class CentreTerms:
    """Terms of a centre head by name.

    Args:
        config: which terms, and the grid.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._box_terms = box_terms(config)
        self._elementwise = elementwise(config.regression_loss, config.smooth_l1_beta)
        self._velocity = velocity_term(config.velocity_delta_mps)
        self._quality = elementwise(config.iou_quality_loss, config.smooth_l1_beta)

    def losses(self) -> dict[str, tuple[Callable[..., Any], float]]:
        """Function of a :class:`CentreBatch` and weight of each term."""
        config = self.config
        losses: dict[str, tuple[Callable[..., Any], float]] = {
            "heatmap": (self._heatmap, config.heatmap_weight),
            "regression": (self._regression, config.regression_weight),
        }
        for name, (loss, weight) in self._box_terms.items():
            losses[name] = (_of_boxes(loss), weight)
        if config.iou_head:
            losses["iou_quality"] = (self._iou_quality, config.iou_quality_weight)
        return losses

    def counts(self, targets: Targets) -> Tensor:
        """(T,) float32 number of objects of each task."""
        if not isinstance(targets, Targets):
            raise TypeError(f"targets: expected Targets for a centre head, got {type(targets).__name__}")
        return torch.stack([task.mask.sum(dtype=torch.float32) for task in targets.tasks])

    def prepare(self, outputs: Sequence[Maps], targets: Targets, counts: Tensor) -> CentreBatch:
        """Decode the boxes, once for all terms."""
        if not isinstance(targets, Targets):
            raise TypeError(f"targets: expected Targets for a centre head, got {type(targets).__name__}")
        boxes, quality = None, None
        if self._box_terms or self.config.iou_head:
            found = [self._boxes(*pair) for pair in zip(outputs, targets.tasks, strict=True)]
            boxes = [(predicted, truth) for predicted, truth, _ in found]
            quality = [values for _, _, values in found]
        return CentreBatch(outputs, targets.tasks, counts.unbind(), boxes, quality)

    def _heatmap(self, batch: CentreBatch) -> Tensor:
        losses = []
        for maps, task, count in zip(batch.maps, batch.targets, batch.counts, strict=True):
            if self.config.heatmap_loss == "focal":
                loss = heatmap_focal_loss(maps["heatmap"], task.heatmap, reduction="sum")
            else:
                at = (task.cell_index, task.class_index, task.mask)
                loss = gathered_heatmap_focal_loss(maps["heatmap"], task.heatmap, *at, reduction="sum")
            losses.append(loss / count)
        return _add(losses)

    def _regression(self, batch: CentreBatch) -> dict[str, Tensor]:
        weights = dict(self.config.regression_weights)
        velocity = {"velocity": weights.pop("velocity")}
        if not self.config.velocity_head:
            velocity = {}
        parts: dict[str, list[Tensor]] = {name: [] for name in (*weights, *velocity)}
        for maps, task, count in zip(batch.maps, batch.targets, batch.counts, strict=True):
            at = (maps, task.regression, task.cell_index, task.mask)
            losses = gather_regression_loss(*at, weights=weights, loss=self._elementwise, reduction="sum")
            losses |= gather_regression_loss(*at, weights=velocity, loss=self._velocity, reduction="sum")
            for name, loss in losses.items():
                parts[name].append(loss / count)
        return {name: _add(losses) for name, losses in parts.items()}

    def _iou_quality(self, batch: CentreBatch) -> Tensor:
        assert batch.boxes is not None  # decoded where this term is on
        assert batch.quality is not None
        losses = []
        for (boxes, truth), quality, count in zip(batch.boxes, batch.quality, batch.counts, strict=True):
            wanted = iou_quality_target(boxes.detach(), truth, mode="centred")
            losses.append(self._quality(quality, wanted).sum() / count)
        return _add(losses)

    def _boxes(self, maps: Maps, task: TaskTargets) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted boxes, true boxes and predicted overlap at the objects of a task."""
        cells, mask = task.cell_index, task.mask
        names = (*(name for name in task.regression if name != "velocity"), *(("iou",) if "iou" in maps else ()))
        found = {name: gather_cells(maps[name], cells) for name in names}
        wanted = {name: task.regression[name] for name in names if name != "iou"}
        if mask.device.type == "cpu":
            # where asking is free, only the slots that hold an object: an overlap costs more than a look
            found = {name: values[mask] for name, values in found.items()}
            wanted = {name: values[mask] for name, values in wanted.items()}
            cells, mask = cells[mask], mask[mask]
        predicted = boxes_at_cells(found, cells, self.config)
        truth = hide_free(boxes_at_cells(wanted, cells, self.config), mask)
        return predicted, truth, found["iou"][..., 0] if "iou" in found else predicted[..., 0]


def _of_boxes(loss: PairLoss) -> Callable[[CentreBatch], Tensor]:
    def term(batch: CentreBatch) -> Tensor:
        assert batch.boxes is not None  # decoded where a term of boxes is on
        pairs = zip(batch.boxes, batch.counts, strict=True)
        return _add([loss(*boxes).sum() / count for boxes, count in pairs])

    return term


def _add(losses: Sequence[Tensor]) -> Tensor:
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total
