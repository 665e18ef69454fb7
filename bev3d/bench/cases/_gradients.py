"""Rotated overlap with gradients, beside plain torch and the usual kernel in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Case, Cases, Limit, ours, peer
from bev3d.bench.cases._inputs import pairs
from bev3d.bench.cases._overlap import threaded
from bev3d.bench.usual._overlap import aligned_clipped
from bev3d.bench.usual._torch_overlap import eager_iou_3d, eager_iou_bev
from bev3d.overlap import ciou_3d, diou_3d, eiou_3d, giou_3d, iou_3d, iou_bev, matched_overlap
from bev3d_ops import _overlap_kinds as kinds
from bev3d_ops.reference import _overlap as reference
from bev3d_ops.registered._overlap_aligned import overlap_aligned_with_gradient

__all__ = ["CASES", "both_gradients", "matched"]

Overlap = Callable[[Tensor, Tensor], Tensor]
_STEP = 1e-6


def both_gradients(overlap: Overlap, a: np.ndarray | Tensor, b: np.ndarray | Tensor) -> Callable[[], list[Tensor]]:
    """Value and gradient with respect to both boxes of the sum of ``overlap``."""
    left, right = (torch.as_tensor(boxes).detach().clone().requires_grad_() for boxes in (a, b))

    def run() -> list[Tensor]:
        return list(torch.autograd.grad(overlap(left, right).sum(), (left, right)))

    return run


def _joined(gradients: list[Tensor]) -> np.ndarray:
    """(N, 14)."""
    return np.concatenate([gradient.numpy() for gradient in gradients], axis=1)


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The same by central differences of polygon clipping."""
    columns = []
    for which in range(2):
        for column in range(7):
            ends = []
            for step in (_STEP, -_STEP):
                moved = [a.copy(), b.copy()]
                moved[which][:, column] += step
                ends.append(aligned_clipped(*moved))
            columns.append((ends[0] - ends[1]) / (2 * _STEP))
    return np.stack(columns, axis=1)


def _high_error(answer: np.ndarray, truth: np.ndarray) -> float:
    """Central differences are wrong across a kink, which one pair in some hundred thousand meets."""
    return float(np.quantile(np.nan_to_num(np.abs(answer - truth), nan=np.inf).max(axis=1), 0.999))


def _footprints(small: bool) -> Case:
    n = 500 if small else 50_000
    a, b = pairs(n)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    contestants = {
        "bev3d, float64": ours(both_gradients(iou_bev, a, b), read=_joined),
        "bev3d, the operation without autograd, float64": ours(
            lambda: list(overlap_aligned_with_gradient(ta, tb, kinds.IOU_BEV))[1:], read=_joined
        ),
        "bev3d, float32": ours(both_gradients(iou_bev, a.astype(np.float32), b.astype(np.float32)), read=_joined),
        "clamp integral in eager torch": peer(both_gradients(reference.aligned_iou_bev, a, b), read=_joined),
        "usual kernel in eager torch": peer(both_gradients(eager_iou_bev, a, b), read=_joined),
    }
    limits = (
        Limit("bev3d, float64", "ns an item", 30),
        Limit("bev3d, the operation without autograd, float64", "ns an item", 30),
        Limit("bev3d, float32", "ns an item", 30),
        Limit("bev3d, float64", "error", 1e-6),
    )
    return Case(
        f"IoU from above and its 10 gradients, {n:,} pairs", n, "pair", contestants, limits,
        _differences(a, b), _high_error, "gradient error, 99.9 % of pairs",
    )  # fmt: skip


def _volumes(small: bool) -> Case:
    n = 500 if small else 50_000
    a, b = pairs(n)
    contestants = {
        "bev3d, float64": ours(both_gradients(iou_3d, a, b)),
        "bev3d, float32": ours(both_gradients(iou_3d, a.astype(np.float32), b.astype(np.float32))),
        "clamp integral in eager torch": peer(both_gradients(reference.aligned_iou_3d, a, b)),
        "usual kernel in eager torch": peer(both_gradients(eager_iou_3d, a, b)),
    }
    return Case(f"3D IoU and its 14 gradients, {n:,} pairs", n, "pair", contestants)


def _family(small: bool) -> Case:
    n = 200 if small else 20_000
    a, b = pairs(n)
    ours_by_kind = {"GIoU": giou_3d, "DIoU": diou_3d, "CIoU": ciou_3d, "EIoU": eiou_3d}
    contestants = {}
    for name, overlap in ours_by_kind.items():
        kind = getattr(kinds, f"{name.upper()}_3D")
        eager = _reference_kind(kind)
        contestants[f"bev3d, {name}"] = ours(both_gradients(overlap, a, b))
        contestants[f"the same form in eager torch, {name}"] = peer(both_gradients(eager, a, b))
    contestants["bev3d, GIoU by the hull"] = ours(both_gradients(partial(giou_3d, enclosing="hull"), a, b))
    return Case(f"3D GIoU, DIoU, CIoU, EIoU and their gradients, {n:,} pairs", n, "pair", contestants)


def _reference_kind(kind: int) -> Overlap:
    return lambda a, b: reference.aligned_overlap(a, b, kind)


def _threads(small: bool) -> Case:
    n = 1000 if small else 400_000
    a, b = pairs(n)
    runs = {"bev3d, float64": both_gradients(iou_bev, a, b), "bev3d, 3D, float64": both_gradients(iou_3d, a, b)}
    return threaded(f"IoU and gradients, {n:,} pairs", n, "pair", runs)


def matched(n: int, m: int, k: int, device: str = "cpu") -> tuple[Overlap, Overlap, Tensor, Tensor]:
    """k pairs of n predictions and m targets by index: ours, the usual detour over gathered rows, and the boxes."""
    a, b = (torch.from_numpy(boxes).float().to(device) for boxes in (pairs(n)[1], pairs(m)[0]))
    rng = np.random.default_rng(0)
    rows, columns = (torch.from_numpy(rng.integers(0, high, k)).to(device) for high in (n, m))

    def mine(one: Tensor, other: Tensor) -> Tensor:
        return matched_overlap(one, other, rows, columns, kind="iou_3d")

    def gathered(one: Tensor, other: Tensor) -> Tensor:
        return eager_iou_3d(one[rows], other[columns])

    return mine, gathered, a, b


def _matched(small: bool) -> Case:
    n, m, k = (100, 20, 50) if small else (20_000, 200, 4000)
    mine, gathered, a, b = matched(n, m, k)
    contestants = {
        "bev3d": ours(both_gradients(mine, a, b)),
        "rows gathered, usual kernel in eager torch": peer(both_gradients(gathered, a, b)),
    }
    return Case(f"3D IoU and gradients of {k:,} pairs by index, of {n:,} x {m}, float32", k, "pair", contestants)


CASES: Cases = {
    "gradients": _footprints,
    "gradients-3d": _volumes,
    "gradients-family": _family,
    "gradients-matched": _matched,
    "gradients-threads": _threads,
}
