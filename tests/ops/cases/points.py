"""Rows for points in boxes."""

from __future__ import annotations

import math
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _points as cuda
from bev3d_ops.reference import _points as reference
from bev3d_ops.registered import _points as ops


def _cloud(rng: torch.Generator, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Crowded boxes with points inside, outside and on their faces; things that are no boxes and no points."""
    boxes = torch.rand(14, 9, generator=rng, dtype=torch.float64) * 8 - 4
    boxes[:, 3:6] = boxes[:, 3:6].abs() + 0.5
    boxes[:4, :6] = (boxes[:4, :6] * 2).round() / 2  # exact in every dtype
    boxes[:4, 6] = 0
    boxes[9, 2], boxes[10, 6], boxes[11, 3], boxes[12, 4] = math.nan, math.inf, -1.0, math.inf
    boxes[13] = boxes[2]
    points = torch.rand(300, 4, generator=rng, dtype=torch.float64) * 12 - 6
    signs = torch.randint(-1, 2, (4, 20, 3), generator=rng)
    points[:80, :3] = (boxes[:4, None, :3] + signs * boxes[:4, None, 3:6] / 2).flatten(0, 1)
    points[100, 0], points[101, 2], points[102, 1] = math.nan, math.inf, -math.inf
    return points.to(dtype), boxes.to(dtype)


def _inputs(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return *_cloud(rng, dtype), None, None


def _batched(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    points, boxes = _cloud(rng, dtype)
    samples = (torch.randint(-1, 3, (len(values),), generator=rng) for values in (points, boxes))
    return points, boxes, *samples


def _no_boxes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    points, boxes = _cloud(rng, dtype)
    return points, boxes[:0], None, None


def _no_points(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    points, boxes = _cloud(rng, dtype)
    return points[:0], boxes, None, None


def _cases(name: str, *, static: bool = True) -> list[OpCase]:
    sets = {"": _inputs, "_of_samples": _batched, "_without_boxes": _no_boxes, "_without_points": _no_points}
    op, oracle, kernel = (getattr(module, name) for module in (ops, reference, cuda))
    dtypes = FLOATS + HALVES
    return [
        OpCase(name + end, op, inputs, reference=oracle, host=kernel, dtypes=dtypes, static=static)
        for end, inputs in sets.items()
    ]


CASES = [
    *_cases("points_in_boxes"),
    *_cases("points_in_boxes_mask"),
    *_cases("points_in_boxes_pairs", static=False),
    *_cases("count_points_in_boxes"),
]
