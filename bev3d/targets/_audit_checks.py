"""The single looks of an audit of targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.boxes import Box, wrap_angle
from bev3d.overlap import pairwise_iou_3d
from bev3d.targets._heatmap import HeatmapTargets
from bev3d.targets._radius import gaussian_radius, oriented_radii
from bev3d.targets._record import Targets

__all__ = [
    "AuditRules",
    "asked_radius",
    "dropped_flaws",
    "duplicates",
    "follow",
    "motion_angle",
    "size_outliers",
    "targets_of_sound",
]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class AuditRules:
    """When a box counts as odd.

    Attributes:
        duplicate_iou: 3D overlap with an earlier box of the class above which a box is a duplicate.
        outlier_sigmas: |log size - median| over 1.4826 MAD beyond which a size is an outlier.
        outlier_least_sigma: lower bound of that standard deviation, in log size, for classes of one size.
        outlier_least_boxes: classes with fewer boxes have no outliers.
        moving_mps: slower boxes have no direction of motion.
        heading_angle_rad: angle between heading and velocity beyond which they disagree.
    """

    duplicate_iou: float = 0.9
    outlier_sigmas: float = 6.0
    outlier_least_sigma: float = 0.05
    outlier_least_boxes: int = 10
    moving_mps: float = 1.0
    heading_angle_rad: float = math.pi / 4


def size_outliers(
    boxes: NDArray[np.float64], labels: NDArray[np.int64], classes: int, rules: AuditRules | None = None
) -> Flags:
    """Boxes with a length, width or height far from the median of their class.

    |log s - median| > k sigma, with sigma = 1.4826 MAD, the median absolute deviation scaled to agree with the
    standard deviation of a normal distribution (Hampel 1974), not below ``rules.outlier_least_sigma``.

    Args:
        boxes: (N, 7 or 9); those with a size that is not finite and positive are neither judged nor counted.
        labels: (N,) class, -1 for none.
        classes: number of classes.
        rules: bounds.

    Returns:
        (N,) bool.
    """
    rules = AuditRules() if rules is None else rules
    sizes = boxes[:, Box.SIZE]
    usable = np.isfinite(sizes).all(1) & (sizes > 0).all(1)
    result = np.zeros(len(boxes), bool)
    for i in range(classes):
        rows = np.flatnonzero(usable & (labels == i))
        if len(rows) < rules.outlier_least_boxes:
            continue
        logs = np.log(sizes[rows])
        away = np.abs(logs - np.median(logs, axis=0))
        sigma = np.maximum(1.4826 * np.median(away, axis=0), rules.outlier_least_sigma)
        result[rows] = (away > rules.outlier_sigmas * sigma).any(1)
    return result


def targets_of_sound(
    generator: HeatmapTargets,
    table: NDArray[np.float64],
    label: NDArray[np.int64],
    sound: Flags,
    offsets: NDArray[np.int64],
) -> Targets:
    """Targets without the boxes that the generator refuses; indices are those of all boxes."""
    # a small box of label -1 takes their place, so that the others keep their indices
    table = np.where(sound[:, None], table, [0.0, 0, 0, 1, 1, 1, 0, 0, 0])
    label = np.where(sound, label, -1)
    spans = list(pairwise(offsets.tolist()))
    return generator([table[a:b] for a, b in spans], [label[a:b] for a, b in spans])


def dropped_flaws(
    generator: HeatmapTargets, made: Targets, table: NDArray[np.float64], sound: Flags, offsets: NDArray[np.int64]
) -> dict[str, Flags]:
    names = ("out_of_range", "out_of_range_z", "too_few_points", "over_max_objects")
    flaws = {name: np.zeros(len(table), bool) for name in names}
    for i, reasons in enumerate(made.dropped):
        for box, reason in reasons.items():
            name = "out_of_range" if reason == "outside_range" else reason
            if name in flaws:
                flaws[name][offsets[i] + box] = True
    low, high = np.array(generator.grid.range_m).reshape(2, 3)
    with np.errstate(invalid="ignore"):
        inside = (table[:, :3] >= low) & (table[:, :3] < high)
    flaws["out_of_range"] |= sound & ~inside.all(1)  # those with few points never reach the generator
    flaws["out_of_range_z"] = flaws["out_of_range"] & inside[:, :2].all(1)
    return flaws


def follow(
    generator: HeatmapTargets, targets: Targets, table: NDArray[np.float64], offsets: NDArray[np.int64]
) -> tuple[Flags, Flags, NDArray[np.float64]]:
    """Which boxes have a target, which of them share a cell with an earlier one, and how far the way back misses."""
    kept, collided = np.zeros(len(table), bool), np.zeros(len(table), bool)
    error = np.full(len(table), np.nan)
    for task in targets.to("cpu").tasks:
        mask = task.mask.numpy()
        sample, _ = np.nonzero(mask)
        cell = task.cell_index.numpy()[mask]
        row = offsets[sample] + task.box_index.numpy()[mask]
        first = np.unique(np.stack([sample, cell]), axis=1, return_index=True)[1]
        again = np.ones(len(row), bool)
        again[first] = False
        kept[row] = True
        collided[row] = again
        values = {name: value[task.mask].double() for name, value in task.regression.items()}
        error[row] = _difference(_decode(generator, torch.from_numpy(cell), values), table[row])
    return kept, collided, error


def _decode(generator: HeatmapTargets, cell: Tensor, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
    """The boxes (K, 9) that slots stand for."""
    grid = generator.grid
    place = torch.stack([cell % grid.columns, cell // grid.columns], dim=1)
    centre = (place + values["offset"]) * torch.tensor(grid.cell_m) + torch.tensor(grid.range_m[:2])
    yaw = torch.atan2(values["heading"][:, :1], values["heading"][:, 1:])
    parts = [centre, values["height"], values["log_size"].exp(), yaw, values["velocity"]]
    return torch.cat(parts, dim=1).numpy()


def _difference(decoded: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    gap = np.abs(decoded - boxes)
    gap[:, Box.YAW] = np.abs(wrap_angle(decoded[:, Box.YAW] - boxes[:, Box.YAW]))
    unknown = np.isnan(boxes[:, Box.VELOCITY])
    lost = np.isnan(decoded[:, Box.VELOCITY]) != unknown
    gap[:, Box.VELOCITY] = np.where(unknown & ~lost, 0.0, np.where(lost, np.inf, gap[:, Box.VELOCITY]))
    return gap.max(axis=1, initial=0.0)


def asked_radius(generator: HeatmapTargets, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the radius rule asks for before the least radius, cells; of two radii the smaller."""
    if generator.radius == "oriented":
        sides = torch.from_numpy(boxes[:, Box.BEV_SIZE] / generator.grid.mean_cell_m)
        both = oriented_radii(sides[:, 0], sides[:, 1], min_overlap=generator.min_overlap)
        return both.amin(dim=1).numpy()
    # length over which cell axis: see HeatmapTargets
    along, across = generator.grid.cell_m[::-1] if generator.radius == "legacy" else generator.grid.cell_m
    sizes = torch.from_numpy(boxes[:, Box.LENGTH] / along), torch.from_numpy(boxes[:, Box.WIDTH] / across)
    if callable(generator.radius):
        values = generator.radius(*sizes)
        return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    return gaussian_radius(*sizes, kind=generator.radius, min_overlap=generator.min_overlap).numpy()


def duplicates(
    table: NDArray[np.float64], label: NDArray[np.int64], offsets: NDArray[np.int64], rules: AuditRules
) -> Flags:
    result = np.zeros(len(table), bool)
    for start, end in pairwise(offsets.tolist()):
        # boxes with a NaN overlap nothing
        same = label[start:end, None] == label[None, start:end]
        above = pairwise_iou_3d(table[start:end], table[start:end]) > rules.duplicate_iou
        result[start:end] = np.triu(same & above, k=1).any(axis=0)
    return result


def motion_angle(table: NDArray[np.float64], rules: AuditRules) -> NDArray[np.float64]:
    velocity = table[:, Box.VELOCITY]
    with np.errstate(invalid="ignore"):
        moving = np.hypot(velocity[:, 0], velocity[:, 1]) >= rules.moving_mps
        turn = wrap_angle(table[:, Box.YAW] - np.arctan2(velocity[:, 1], velocity[:, 0]))
    return np.where(moving & np.isfinite(turn), np.abs(turn), np.nan)
