"""Overlap on a GPU."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench.cases._gradients import both_gradients, matched
from bev3d.bench.cases._inputs import pairs, street
from bev3d.bench.cuda_cases._inputs import fill_of, on, usual
from bev3d.bench.usual._cuda import usual_aligned, usual_matrix
from bev3d.bench.usual._overlap import aligned_clipped, pairwise_clipped
from bev3d.bench.usual._torch_overlap import eager_iou_3d, eager_iou_bev
from bev3d.overlap import ciou_3d, diou_3d, eiou_3d, giou_3d, iou_3d, iou_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d_ops import _overlap_kinds as kinds
from bev3d_ops.reference import _overlap as reference

__all__ = ["CASES"]

FLOOR = "launch and store (fill)"


def _matrix(device: str, small: bool) -> Case:
    n = 40 if small else 1000
    a, b = street(n, seed=6), street(n, seed=7)
    fa, fb = on(device, a, b)
    da, db = on(device, a, b, dtype=torch.float64)
    contestants = {
        "bev3d, float32": ours(lambda: pairwise_iou_bev(fa, fb)),
        "bev3d, float64": ours(lambda: pairwise_iou_bev(da, db)),
        "bev3d, 3D, float32": ours(lambda: pairwise_iou_3d(fa, fb), read=lambda _: None),
        **usual(device, {"usual kernel, float32": peer(lambda: usual_matrix(fa, fb))}),
        "clamp integral in eager torch, float64": peer(lambda: reference.aligned_iou_bev(da[:, None], db[None])),
        FLOOR: fill_of(n, n, device=device),
    }
    limits = (Limit("bev3d, float32", "times the floor", 2.0, than=FLOOR), Limit("bev3d, float32", "error", 1e-4))
    truth = pairwise_clipped(a.astype(np.float32), b.astype(np.float32))
    return Case(f"IoU matrix, {n} x {n}", n * n, "pair", contestants, limits, truth, moved_bytes=4 * n * n)


def _large(device: str, small: bool) -> Case:
    n = 50 if small else 8192
    fa, fb = on(device, street(n, seed=6, spread_m=100.0), street(n, seed=7, spread_m=100.0))
    contestants = {
        "bev3d, float32": ours(lambda: pairwise_iou_bev(fa, fb)),
        **usual(device, {"usual kernel, float32": peer(lambda: usual_matrix(fa, fb))}),
        FLOOR: fill_of(n, n, device=device),
    }
    return Case(f"IoU matrix, {n:,} x {n:,}", n * n, "pair", contestants, moved_bytes=4 * n * n)


def _aligned(device: str, small: bool) -> Case:
    n = 500 if small else 1_000_000
    a, b = pairs(n)
    fa, fb = on(device, a, b)
    contestants = {
        "bev3d, float32": ours(lambda: iou_bev(fa, fb)),
        "bev3d, 3D, float32": ours(lambda: iou_3d(fa, fb), read=lambda _: None),
        **usual(device, {"usual kernel, float32": peer(lambda: usual_aligned(fa, fb))}),
        "clamp integral in eager torch": peer(lambda: reference.aligned_iou_bev(fa, fb)),
        FLOOR: fill_of(n, device=device),
    }
    truth = aligned_clipped(a.astype(np.float32), b.astype(np.float32))
    # fourteen numbers in, one out
    return Case(f"IoU of aligned pairs, {n:,}", n, "pair", contestants, truth=truth, moved_bytes=60 * n)


def _gradients(device: str, small: bool) -> Case:
    n = 500 if small else 100_000
    fa, fb = on(device, *pairs(n))
    contestants = {
        "bev3d, from above": ours(both_gradients(iou_bev, fa, fb)),
        "bev3d, 3D": ours(both_gradients(iou_3d, fa, fb)),
        "clamp integral in eager torch, 3D": peer(both_gradients(reference.aligned_iou_3d, fa, fb)),
        "usual kernel in eager torch, from above": peer(both_gradients(eager_iou_bev, fa, fb)),
        "usual kernel in eager torch, 3D": peer(both_gradients(eager_iou_3d, fa, fb)),
    }
    # both boxes in, both gradients out
    return Case(f"IoU and its gradients, {n:,} pairs, float32", n, "pair", contestants, moved_bytes=112 * n)


def _family(device: str, small: bool) -> Case:
    n = 200 if small else 100_000
    fa, fb = on(device, *pairs(n))
    forms = {"GIoU": giou_3d, "DIoU": diou_3d, "CIoU": ciou_3d, "EIoU": eiou_3d}
    contestants = {f"bev3d, {name}": ours(both_gradients(form, fa, fb)) for name, form in forms.items()}
    contestants["bev3d, GIoU by the hull"] = ours(both_gradients(partial(giou_3d, enclosing="hull"), fa, fb))
    eager = partial(reference.aligned_overlap, kind=kinds.GIOU_3D)
    contestants["the same form in eager torch, GIoU"] = peer(both_gradients(eager, fa, fb))
    return Case(f"3D GIoU, DIoU, CIoU, EIoU and their gradients, {n:,} pairs", n, "pair", contestants)


def _matched(device: str, small: bool) -> Case:
    n, m, k = (100, 20, 50) if small else (20_000, 200, 4000)
    mine, gathered, a, b = matched(n, m, k, device)
    contestants = {
        "bev3d": ours(both_gradients(mine, a, b)),
        "rows gathered, usual kernel in eager torch": peer(both_gradients(gathered, a, b)),
    }
    return Case(f"3D IoU and gradients of {k:,} pairs by index, of {n:,} x {m}, float32", k, "pair", contestants)


CASES = {
    "family": _family,
    "matched": _matched,
    "matrix": _matrix,
    "matrix-large": _large,
    "aligned": _aligned,
    "gradients": _gradients,
}
