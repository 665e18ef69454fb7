"""The terms of an anchor head's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.losses import direction_loss, focal_loss, num_pos_per_sample, sin_difference_loss
from bev3d.models._anchor_decode import boxes_of_code
from bev3d.models._anchor_targets import AnchorTargets
from bev3d.models._box_terms import PairLoss, box_terms, elementwise, velocity_term
from bev3d.targets import IGNORED

__all__ = ["AnchorTerms"]

CODE = {"offset": slice(0, 2), "height": slice(2, 3), "log_size": slice(3, 6)}
YAW, VELOCITY = 6, slice(7, 9)


@dataclass(frozen=True, eq=False)
class AnchorBatch:
    """What the terms of a batch share.

    Attributes:
        maps: output of the head.
        targets: what it is compared with.
        counts: (B,) number of positive anchors, at least 1.
        samples: 0-dim number of samples.
        code: (B, P, 7 or 9) predicted at the positive anchors.
    """

    maps: Mapping[str, Tensor]
    targets: AnchorTargets
    counts: Tensor
    samples: Tensor
    code: Tensor

    def mean(self, loss: Tensor) -> Tensor:
        """Mean over the samples of the sum (B, ...) over the number of positives."""
        return (loss.flatten(1).sum(dim=1) / self.counts).sum() / self.samples


class AnchorTerms:
    """Terms of an anchor head by name.

    Args:
        config: which terms, and the grid.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._box_terms = box_terms(config)
        self._beta = config.smooth_l1_beta if config.regression_loss == "smooth_l1" else 0.0
        self._elementwise = elementwise(config.regression_loss, config.smooth_l1_beta)
        self._velocity = velocity_term(config.velocity_delta_mps)

    def losses(self) -> dict[str, tuple[Callable[..., Any], float]]:
        """Function of an :class:`AnchorBatch` and weight of each term."""
        config = self.config
        losses: dict[str, tuple[Callable[..., Any], float]] = {
            "classification": (self._classification, config.classification_weight),
            "regression": (self._regression, config.regression_weight),
            "direction": (self._direction, config.direction_weight),
        }
        for name, (loss, weight) in self._box_terms.items():
            losses[name] = (_of_boxes(loss), weight)
        return losses

    def counts(self, targets: AnchorTargets) -> Tensor:
        """(1,) float32 number of samples: each is divided by its own number of positives before."""
        _check(targets)
        return torch.full((1,), float(len(targets.mask)))

    def prepare(self, outputs: Sequence[Mapping[str, Tensor]], targets: AnchorTargets, counts: Tensor) -> AnchorBatch:
        """Count the positives and gather their codes, once for all terms."""
        _check(targets)
        maps = outputs[0]
        positives = num_pos_per_sample(targets.mask).flatten()
        return AnchorBatch(maps, targets, positives, counts[0], _at(maps["box_code"], targets.index))

    def _classification(self, batch: AnchorBatch) -> Tensor:
        logits, labels = batch.maps["class_logits"], batch.targets.labels
        classes = torch.arange(logits.shape[-1], device=labels.device, dtype=labels.dtype)
        wanted = (labels[..., None] == classes).to(logits.dtype)
        wanted = torch.where(labels[..., None] == IGNORED, -1.0, wanted)
        alpha, gamma = self.config.focal_alpha, self.config.focal_gamma
        return batch.mean(focal_loss(logits, wanted, alpha=alpha, gamma=gamma))

    def _regression(self, batch: AnchorBatch) -> dict[str, Tensor]:
        code, wanted = batch.code, batch.targets.code
        losses = {name: self._elementwise(code[..., at], wanted[..., at]) for name, at in CODE.items()}
        losses["heading"] = sin_difference_loss(code[..., YAW], wanted[..., YAW], beta=self._beta)
        if self.config.velocity_head:
            losses["velocity"] = self._velocity(code[..., VELOCITY], wanted[..., VELOCITY])
        weights = self.config.regression_weights
        return {name: weights[name] * batch.mean(loss) for name, loss in losses.items()}

    def _direction(self, batch: AnchorBatch) -> Tensor:
        logits = _at(batch.maps["direction_logits"], batch.targets.index)
        yaw = batch.targets.boxes[..., YAW]
        return batch.mean(direction_loss(logits, yaw, offset=self.config.direction_offset_rad))


def _check(targets: object) -> None:
    if not isinstance(targets, AnchorTargets):
        raise TypeError(f"targets: expected AnchorTargets for the anchor head, got {type(targets).__name__}")


def _of_boxes(loss: PairLoss) -> Callable[[AnchorBatch], Tensor]:
    def term(batch: AnchorBatch) -> Tensor:
        targets = batch.targets
        boxes = boxes_of_code(batch.code[..., :7], targets.anchors)
        return batch.mean(loss(boxes, targets.boxes[..., :7]))

    return term


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Values (B, A, c) at anchors (B, P): (B, P, c)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))
