"""Suppression on a GPU."""

from __future__ import annotations

from functools import partial

import numpy as np

from bev3d.bench._case import Case, Limit, differing, ours, peer
from bev3d.bench.cases._inputs import heaps
from bev3d.bench.cases._nms import RADIUS_M, THRESHOLD
from bev3d.bench.cuda_cases._inputs import on, usual
from bev3d.bench.usual._cuda import usual_nms
from bev3d.bench.usual._nms import clipped_nms
from bev3d.nms import nms_bev, nms_circle, nms_diou, nms_weighted

__all__ = ["CASES"]

LARGEST_MASK = 20_000  # boxes; the usual mask of more does not fit beside the rest


def _nms(n: int, device: str, small: bool) -> Case:
    n = 200 if small else n
    boxes, scores = heaps(n)
    fb, fs = on(device, boxes, scores)
    contestants = {
        "bev3d": ours(lambda: nms_bev(fb, fs, THRESHOLD)),
        "bev3d, distance": ours(lambda: nms_circle(fb, fs, RADIUS_M), read=_unknown),
        "bev3d, DIoU": ours(lambda: nms_diou(fb, fs, THRESHOLD), read=_unknown),
        "bev3d, merging weighted by IoU": ours(lambda: nms_weighted(fb, fs, THRESHOLD), read=_unknown),
    }
    if n <= LARGEST_MASK:
        kernel = {"usual kernel, mask read by the host": peer(lambda: usual_nms(fb, fs, THRESHOLD))}
        contestants.update(usual(device, kernel))
    truth = clipped_nms(boxes.astype(np.float32), scores.astype(np.float32), THRESHOLD)
    limits = (Limit("bev3d", "error", 0),)
    name = f"NMS, {n:,} boxes in heaps of 20"
    return Case(name, n, "box", contestants, limits, truth, differing, "boxes kept or gone wrongly")


def _unknown(_: object) -> None:
    """The truth of the case is that of the rotated IoU alone."""


CASES = {"nms": partial(_nms, 4092), "nms-large": partial(_nms, 100_000)}
