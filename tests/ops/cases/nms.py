"""Rows for non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _nms as cuda
from bev3d_ops.reference import _nms as reference
from bev3d_ops.registered import _nms as registered

THRESHOLDS = {reference.BEV: 0.2, reference.CIRCLE: 1.0, reference.DIOU: 0.3}


def _heaps(rng: torch.Generator, dtype: torch.dtype, kind: int, with_groups: bool) -> tuple[Any, ...]:
    """Boxes in heaps, equal ones, what is no box, equal and absent scores, and groups of any number."""
    count = 330  # more than a word of the device's matrix, and not a multiple of one
    centres = torch.rand(25, 7, generator=rng, dtype=torch.float64) * torch.tensor([40, 40, 2, 5, 3, 2, 6.0])
    centres[:, 3:6] += 0.5
    boxes = centres[torch.randint(0, 25, (count,), generator=rng)]
    boxes += 0.15 * torch.randn(count, 7, generator=rng, dtype=torch.float64)
    boxes[::11] = boxes[3]
    boxes[5, 0], boxes[6, 6], boxes[7, 3], boxes[8, 4] = torch.nan, torch.inf, 0.0, -1.0
    boxes[9, 2], boxes[12, 1] = torch.nan, -torch.inf
    scores = torch.rand(count, generator=rng).mul(50).round().div(50)
    scores[::17], scores[4], scores[13], scores[14] = torch.nan, torch.inf, -torch.inf, -0.0
    groups = torch.randint(-2, 2, (count,), generator=rng) * (2**62 - 1) if with_groups else None
    return boxes.to(dtype), scores.to(dtype), groups, THRESHOLDS[kind], kind


def _case(name: str, kind: int, with_groups: bool, label: str) -> OpCase:
    function: Callable[..., Any] = getattr(cuda, name)
    return OpCase(
        f"{name} {label}",
        getattr(registered, name),
        partial(_heaps, kind=kind, with_groups=with_groups),
        reference=getattr(reference, name),
        # several chunks, so that boxes kept in earlier ones are met
        host=partial(function, chunk=128),
        dtypes=FLOATS + HALVES if kind == reference.BEV else FLOATS,
    )


CASES = [
    _case("nms_mask", reference.BEV, True, "bev, groups"),
    _case("nms_mask", reference.CIRCLE, False, "circle"),
    _case("nms_mask", reference.DIOU, True, "diou, groups"),
    _case("nms_kept", reference.BEV, False, "bev"),
    _case("nms_kept", reference.CIRCLE, True, "circle, groups"),
    _case("nms_owner", reference.BEV, True, "bev, groups"),
    _case("nms_owner", reference.DIOU, False, "diou"),
    _case("nms_owner", reference.CIRCLE, True, "circle, groups"),
]
