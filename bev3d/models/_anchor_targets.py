"""Which anchors find which objects, and the codes that they learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bev3d._check import check_boxes
from bev3d.config import Config
from bev3d.targets import AnchorClass, Anchors, OutputGrid, ResidualCoder, assign_max_iou, generate_anchors

__all__ = ["AnchorTargetMaker", "AnchorTargets", "anchor_classes", "anchors_from_config"]


@dataclass(frozen=True, eq=False)
class AnchorTargets:
    """Targets of an anchor head for B samples, A anchors and P slots for positive ones.

    Free slots have mask False, index 0 (legal to gather), the anchor of index 0, and NaN for all else.

    Attributes:
        labels: (B, A) int16, class of the object of a positive anchor, ``NEGATIVE`` (-1) or ``IGNORED`` (-2).
        index: (B, P) int64, the positive anchors, ascending.
        mask: (B, P) bool, slots that hold one.
        anchors: (B, P, 7) float32.
        code: (B, P, 9) float32, residuals of the object's box: offset (2), height, log size (3), yaw difference,
            velocity (2).
        boxes: (B, P, 9) float32, the object's box; velocity NaN where unknown.
        unassigned: per sample, the boxes that no anchor found: outside the grid, or of no class (-1).
    """

    labels: Tensor
    index: Tensor
    mask: Tensor
    anchors: Tensor
    code: Tensor
    boxes: Tensor
    unassigned: tuple[tuple[int, ...], ...]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> AnchorTargets:
        """The same on another device."""
        names = ("labels", "index", "mask", "anchors", "code", "boxes")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return AnchorTargets(**moved, unassigned=self.unassigned)


def anchor_classes(config: Config) -> list[AnchorClass]:
    """The anchors of each class at a cell."""
    pairs = zip(config.anchor_sizes_m, config.anchor_z_m, strict=True)
    return [AnchorClass((size,), (z,), config.anchor_yaws_rad) for size, z in pairs]


def anchors_from_config(config: Config) -> Anchors:
    """All anchors of the grid, on the CPU."""
    grid = OutputGrid.of(config.range_m, config.voxel_size_m, config.stride)
    return generate_anchors(grid, anchor_classes(config), align=config.anchor_align)


class _Sample(NamedTuple):
    labels: Tensor  # (A,)
    positive: Tensor  # (P,)
    code: Tensor  # (P, 9)
    boxes: Tensor  # (P, 9)
    unassigned: tuple[int, ...]


class AnchorTargetMaker:
    """From ragged boxes and labels of a batch to :class:`AnchorTargets`, on the CPU.

    Anchors meet the objects of their class; those above ``anchor_matched`` are positive, and every object takes the
    one that it overlaps most, see :func:`bev3d.targets.assign_max_iou`.

    Args:
        config: grid, anchors and thresholds.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.anchors = anchors_from_config(config)
        self._anchors = self.anchors.boxes.double()
        self.coder = ResidualCoder()

    def __call__(self, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> AnchorTargets:
        """Targets of a batch.

        Args:
            boxes: per sample (N, 7 or 9).
            labels: per sample (N,) class, or -1: negatives that such a box covers are ignored.

        Raises:
            ValueError: lists or rows that do not pair up, boxes that are not finite or have no size.
            TypeError: boxes that are not floating point, labels that are not integers.
        """
        if len(boxes) != len(labels):
            raise ValueError(f"labels: expected {len(boxes)} samples, as boxes, got {len(labels)}")
        found = [self._assign(*sample) for sample in zip(boxes, labels, strict=True)]
        size, width = len(found), max((len(sample.positive) for sample in found), default=0)
        index = torch.zeros(size, width, dtype=torch.int64)
        mask = torch.zeros(size, width, dtype=torch.bool)
        code, truth = (torch.full((size, width, 9), torch.nan) for _ in range(2))
        for i, sample in enumerate(found):
            count = len(sample.positive)
            index[i, :count], mask[i, :count] = sample.positive, True
            code[i, :count], truth[i, :count] = sample.code.float(), sample.boxes.float()
        classes = torch.zeros(size, len(self.anchors.boxes), dtype=torch.int16)
        for i, sample in enumerate(found):
            classes[i] = sample.labels
        unassigned = tuple(sample.unassigned for sample in found)
        return AnchorTargets(classes, index, mask, self.anchors.boxes[index], code, truth, unassigned)

    def _assign(self, boxes: Tensor, labels: Tensor) -> _Sample:
        check_boxes("boxes", boxes)
        config, classes = self.config, len(self.config.class_names)
        full = torch.full((len(boxes), 9), torch.nan, dtype=torch.float64)
        full[:, : boxes.shape[1]] = boxes.detach().cpu().double()
        assignment = assign_max_iou(
            self._anchors,
            full[:, :7],
            labels.detach().cpu(),
            anchor_labels=self.anchors.labels,
            matched=_by_class(config.anchor_matched, classes),
            unmatched=_by_class(config.anchor_unmatched, classes),
            overlap=config.anchor_overlap,
        )
        positive = assignment.positive.nonzero()[:, 0]
        owner = assignment.gt_index[positive]
        code = self.coder.encode(full[owner, :7], self._anchors[positive])
        unassigned = sorted(set(range(len(boxes))) - set(owner.tolist()))
        # where there is no class it is what the index says: NEGATIVE or IGNORED
        labels = torch.where(assignment.positive, assignment.labels, assignment.gt_index)
        return _Sample(labels, positive, torch.cat([code, full[owner, 7:]], dim=1), full[owner], tuple(unassigned))


def _by_class(values: tuple[float, ...], classes: int) -> tuple[float, ...]:
    return values * classes if len(values) == 1 else values
