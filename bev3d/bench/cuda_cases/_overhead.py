"""What a call costs where the work is next to nothing."""

from __future__ import annotations

import torch

from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench.cases._inputs import pairs
from bev3d.bench.cuda_cases._inputs import on
from bev3d.overlap import iou_bev, pairwise_iou_bev
from bev3d_ops import _overlap_kinds as kinds
from bev3d_ops.registered._overlap_pairwise import pairwise_overlap

__all__ = ["CASES"]

MOST_US = 15.0


def _overhead(device: str, small: bool) -> Case:
    a, b = on(device, *pairs(8))
    contestants = {
        "bev3d.overlap.pairwise_iou_bev": ours(lambda: pairwise_iou_bev(a, b)),
        "torch.ops.bev3d.pairwise_overlap": ours(lambda: pairwise_overlap(a, b, kinds.IOU_BEV)),
        "bev3d.overlap.iou_bev": ours(lambda: iou_bev(a, b)),
        "torch.add": peer(lambda: torch.add(a, b)),
        "torch.cdist": peer(lambda: torch.cdist(a, b)),
    }
    limits = tuple(Limit(name, "µs of the host", MOST_US) for name, c in contestants.items() if c.ours)
    return Case("The cost of a call, 8 boxes", 1, "call", contestants, limits)


CASES = {"overhead": _overhead}
