"""What becomes of every box on its way into heatmap targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bev3d._check import check_boxes
from bev3d.boxes import Box
from bev3d.targets._audit_checks import (
    AuditRules,
    asked_radius,
    dropped_flaws,
    duplicates,
    follow,
    motion_angle,
    size_outliers,
    targets_of_sound,
)
from bev3d.targets._heatmap import HeatmapTargets
from bev3d.targets._record import Targets

__all__ = ["FLAWS", "BoxAudit", "audit_targets"]

Array = np.ndarray | Tensor
Flags = NDArray[np.bool_]

FLAWS: Mapping[str, str] = {
    "out_of_range": "the centre lies outside the range in x, y or z: no target",
    "out_of_range_z": "of those, the ones that only z puts outside",
    "too_few_points": "inside the range, but with fewer LiDAR points than are asked for: no target",
    "over_max_objects": "the task's slots were taken by earlier boxes: no target",
    "collided": "shares its cell with an earlier box of the task: both are regressed, one can be decoded",
    "without_points": "holds no LiDAR point",
    "min_radius": "has a target whose Gaussian has the least radius, since the rule asks for a smaller one",
    "non_finite": "a NaN, an infinity, or a size that is not positive",
    "size_outlier": "a size far from the median of the class",
    "duplicate": "overlaps an earlier box of its class almost wholly",
    "yaw_against_velocity": "moves across or against its heading",
}


@dataclass(frozen=True, eq=False)
class BoxAudit:
    """N boxes, one after the other, with what was found about each.

    Attributes:
        sample: (N,) int64, sample of the batch or of the split.
        index: (N,) int64, place of the box in its sample.
        label: (N,) int64 class, -1 for none.
        boxes: (N, 9) float64 as given, velocity NaN where unknown.
        num_points: (N,) int64, -1 where unknown.
        kept: (N,) bool, has a target.
        radius_cells: (N,) float64 that the rule asks for, before the least radius; NaN for a box that is not finite.
        decode_error: (N,) float64, largest difference between the box and its decoded target over metres, radians
            and metres per second; NaN without a target.
        motion_angle_rad: (N,) float64 in [0, pi] between heading and velocity; NaN for slow or unknown ones.
        flaws: by a name of ``FLAWS``, (N,) bool. Boxes of label -1 have none.
        class_names: the classes that ``label`` indexes.
    """

    sample: NDArray[np.int64]
    index: NDArray[np.int64]
    label: NDArray[np.int64]
    boxes: NDArray[np.float64]
    num_points: NDArray[np.int64]
    kept: Flags
    radius_cells: NDArray[np.float64]
    decode_error: NDArray[np.float64]
    motion_angle_rad: NDArray[np.float64]
    flaws: dict[str, Flags]
    class_names: tuple[str, ...]

    def counts(self) -> dict[str, dict[str, Any]]:
        """Per class and as ``total``: boxes, kept, every flaw, and the largest decode error (None without a target)."""
        result = {name: self._count(self.label == i) for i, name in enumerate(self.class_names)}
        result["total"] = self._count(self.label >= 0)
        return result

    def _count(self, chosen: Flags) -> dict[str, Any]:
        errors = self.decode_error[chosen & self.kept]
        row: dict[str, Any] = {"boxes": int(chosen.sum()), "kept": int((chosen & self.kept).sum())}
        row.update({name: int((chosen & flags).sum()) for name, flags in self.flaws.items()})
        row["max_decode_error"] = float(errors.max()) if len(errors) else None
        return row


def audit_targets(
    generator: HeatmapTargets,
    boxes: Sequence[Array],
    labels: Sequence[Array],
    *,
    targets: Targets | None = None,
    num_points: Sequence[Array] | None = None,
    min_points: int = 0,
    rules: AuditRules | None = None,
) -> BoxAudit:
    """Follow every box of a batch into its target and back.

    Args:
        generator: how targets are made.
        boxes: per sample (N, 7 or 9), see :class:`bev3d.boxes.Box`. NaN, infinities and sizes that are not positive
            are legal: such boxes are reported and kept from the generator.
        labels: per sample (N,) integers, index into the generator's classes or -1.
        targets: what to judge: the targets of these boxes, made elsewhere or read from a file; by the generator
            where None.
        num_points: per sample (N,) LiDAR points in each box, negative where unknown.
        min_points: boxes known to hold fewer points get no target, as where ``Config.min_points_per_box`` says so.
        rules: when a box counts as odd.

    Returns:
        What was found, box by box. A box of a class has a target, or one of the flaws ``non_finite``,
        ``out_of_range``, ``too_few_points`` and ``over_max_objects``; the others come on top. Sizes are compared with
        those of this batch; :func:`size_outliers` does so for more.

    Raises:
        ValueError: lists or rows that do not pair up, a label that is no class.
        TypeError: boxes that are not floating point.
    """
    rules = AuditRules() if rules is None else rules
    table, label, points, offsets = _join(boxes, labels, num_points)
    sound = np.isfinite(table[:, :7]).all(1) & (table[:, Box.SIZE] > 0).all(1)
    named = label >= 0
    few = (points >= 0) & (points < min_points)
    made = targets_of_sound(generator, table, label, sound & ~few, offsets) if targets is None else targets
    if len(made.dropped) != len(offsets) - 1:
        raise ValueError(f"targets: expected a batch of {len(offsets) - 1}, as boxes, got {len(made.dropped)}")
    kept, collided, error = follow(generator, made, table, offsets)
    flaws = dropped_flaws(generator, made, table, sound, offsets)
    flaws["too_few_points"] |= few & sound & ~flaws["out_of_range"] & ~kept
    flaws["collided"] = collided
    flaws["without_points"] = points == 0
    radius = np.full(len(table), np.nan)
    radius[sound] = asked_radius(generator, table[sound])
    flaws["min_radius"] = kept & (np.floor(radius) < generator.min_radius)
    flaws["non_finite"] = ~sound
    flaws["size_outlier"] = size_outliers(table, label, len(generator.class_names), rules)
    flaws["duplicate"] = duplicates(table, label, offsets, rules)
    angle = motion_angle(table, rules)
    flaws["yaw_against_velocity"] = angle > rules.heading_angle_rad
    flaws = {name: flaws[name] & named for name in FLAWS}
    sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    index = np.arange(len(table)) - offsets[:-1][sample]
    return BoxAudit(
        sample, index, label, table, points, kept, radius, error, angle, flaws, generator.class_names
    )  # fmt: skip


def _join(
    boxes: Sequence[Array], labels: Sequence[Array], num_points: Sequence[Array] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    for name, value in (("labels", labels), ("num_points", num_points)):
        if value is not None and len(value) != len(boxes):
            raise ValueError(f"{name}: expected {len(boxes)} samples, as boxes, got {len(value)}")
    for i, part in enumerate(boxes):
        check_boxes(f"boxes[{i}]", part)
        for name, value in (("labels", labels), ("num_points", num_points)):
            if value is not None and tuple(value[i].shape) != (len(part),):
                raise ValueError(f"{name}[{i}]: expected shape ({len(part)},), got {tuple(value[i].shape)}")
    offsets = np.cumsum([0, *(len(part) for part in boxes)])
    table = np.full((int(offsets[-1]), 9), np.nan)
    label, points = np.empty(len(table), np.int64), np.full(len(table), -1, np.int64)
    for i, (start, end) in enumerate(pairwise(offsets)):
        part = _numpy(boxes[i])
        table[start:end, : part.shape[-1]] = part
        label[start:end] = _numpy(labels[i])
        if num_points is not None:
            points[start:end] = _numpy(num_points[i])
    return table, label, points, offsets


def _numpy(value: Array) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
