"""Rotated overlap without gradients, beside packages, the usual kernel and plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.bench._packages import (
    degrees_boxes,
    installed,
    open3d_boxes,
    opencv_aligned,
    package,
    polygons,
    rotated_rectangles,
    shapely_aligned,
    shapely_matrix,
)
from bev3d.bench.cases._inputs import pairs, street
from bev3d.bench.usual._overlap import aligned_clipped, aligned_usual, pairwise_clipped, pairwise_usual
from bev3d.overlap import batched_pairwise_iou_bev, iou_3d, iou_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d_ops.reference import _overlap as reference

__all__ = ["CASES", "matrix_peers"]

MARGIN_M = 1e-2  # of the usual kernel, as 3D detectors have it


def _aligned(small: bool) -> Case:
    n = 500 if small else 50_000
    a, b = pairs(n)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    fa, fb = ta.float(), tb.float()
    na, nb = fa.numpy(), fb.numpy()
    contestants = {
        "bev3d, float64": ours(lambda: iou_bev(ta, tb)),
        "bev3d, float32": ours(lambda: iou_bev(fa, fb)),
        "bev3d, 3D, float64": ours(lambda: iou_3d(ta, tb), read=lambda _: None),
        "usual kernel, float64": peer(lambda: aligned_usual(a, b, MARGIN_M)),
        "usual kernel, float32": peer(lambda: aligned_usual(na, nb, MARGIN_M)),
        "polygon clipping in Numba": peer(lambda: aligned_clipped(a, b)),
        "clamp integral in eager torch": peer(lambda: reference.aligned_iou_bev(ta, tb)),
    }
    if installed("shapely"):
        one, other = polygons(a), polygons(b)
        contestants["shapely, polygons ready"] = peer(lambda: shapely_aligned(one, other))
    if installed("cv2"):
        left, right = rotated_rectangles(a), rotated_rectangles(b)
        contestants["OpenCV, rectangles ready"] = peer(lambda: opencv_aligned(left, right))
    limits = (
        Limit("bev3d, float64", "ns an item", 8),
        Limit("bev3d, float32", "ns an item", 5),
        Limit("bev3d, float64", "error", 1e-12),
        Limit("bev3d, float32", "error", 2e-5),
    )
    return Case(f"IoU of aligned pairs, {n:,}", n, "pair", contestants, limits, truth=aligned_clipped(a, b))


def _aligned_threads(small: bool) -> Case:
    n = 1000 if small else 1_000_000
    a, b = (torch.from_numpy(boxes) for boxes in pairs(n))
    fa, fb = a.float(), b.float()
    return threaded(
        f"IoU of aligned pairs, {n:,}",
        n,
        "pair",
        {"bev3d, float64": lambda: iou_bev(a, b), "bev3d, float32": lambda: iou_bev(fa, fb)},
    )


def threaded(name: str, items: int, unit: str, runs: dict[str, Callable[[], Any]], gain: float = 1.7) -> Case:
    """Our own runs in one thread and in two."""
    contestants, limits = {}, []
    for label, run in runs.items():
        contestants[label] = ours(run)
        contestants[f"{label}, 2 threads"] = ours(run, threads=2)
        limits.append(Limit(f"{label}, 2 threads", "thread gain", gain, than=label))
    return Case(name, items, unit, contestants, tuple(limits))


def _matrix(small: bool) -> Case:
    n = 40 if small else 1000
    a, b = street(n, seed=6), street(n, seed=7)
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    ta, tb = torch.from_numpy(a)[:, None], torch.from_numpy(b)[None]
    contestants = {
        "bev3d, float64": ours(lambda: pairwise_iou_bev(a, b)),
        "bev3d, float32": ours(lambda: pairwise_iou_bev(a32, b32)),
        "bev3d, 3D, float64": ours(lambda: pairwise_iou_3d(a, b), read=lambda _: None),
        **matrix_peers(a, b),
        "clamp integral in eager torch": peer(lambda: reference.aligned_iou_bev(ta, tb)),
    }
    limits = (
        Limit("bev3d, float64", "ms", 3),
        Limit("bev3d, float32", "ms", 3),
        Limit("bev3d, float64", "error", 1e-12),
    )
    name = f"IoU matrix, {n} x {n}, boxes over 100 m"
    return Case(name, n * n, "pair", contestants, limits, truth=pairwise_clipped(a, b))


def matrix_peers(a: np.ndarray, b: np.ndarray) -> dict[str, Contestant]:
    """Everybody else who gives a matrix of IoU."""
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    contestants = {
        "usual kernel, float32": peer(lambda: pairwise_usual(a32, b32, MARGIN_M)),
        "polygon clipping in Numba": peer(lambda: pairwise_clipped(a, b)),
    }
    if installed("powerboxes"):
        powerboxes = package("powerboxes")
        one, other = degrees_boxes(a), degrees_boxes(b)
        serial, parallel = powerboxes.rotated_iou_distance, powerboxes.parallel_rotated_iou_distance
        contestants["powerboxes"] = peer(lambda: serial(one, other), read=lambda distance: 1 - distance)
        contestants["powerboxes, parallel"] = peer(
            lambda: parallel(one, other), threads=2, read=lambda distance: 1 - distance
        )
    if installed("shapely"):
        contestants["shapely with its tree"] = peer(lambda: shapely_matrix(a, b))
    if installed("open3d"):
        from open3d.ml.contrib import iou_bev_cpu

        left, right = open3d_boxes(a), open3d_boxes(b)
        contestants["Open3D iou_bev_cpu (float32)"] = peer(lambda: iou_bev_cpu(left, right))
    return contestants


def _matrix_threads(small: bool) -> Case:
    n = 100 if small else 4000
    a, b = street(n, seed=6), street(n, seed=7)
    runs = {
        "bev3d, float64": lambda: pairwise_iou_bev(a, b),
        "bev3d, 3D, float64": lambda: pairwise_iou_3d(a, b),
    }
    return threaded(f"IoU matrix, {n:,} x {n:,}", n * n, "pair", runs)


def _batched(small: bool) -> Case:
    """Predictions and targets of the samples of a batch, ragged."""
    samples, most = (3, 20) if small else (32, 300)
    rng = np.random.default_rng(11)
    of_a, of_b = (np.cumsum([0, *rng.integers(1, high, samples)]) for high in (most, most // 5))
    a, b = street(int(of_a[-1]), seed=12), street(int(of_b[-1]), seed=13)
    pieces = [(a[i:j], b[k:m]) for i, j, k, m in zip(of_a[:-1], of_a[1:], of_b[:-1], of_b[1:], strict=True)]
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    tensors = [(torch.from_numpy(one), torch.from_numpy(other)) for one, other in pieces]

    def joined(matrices: Any) -> np.ndarray:
        return np.concatenate([np.asarray(matrix).ravel() for matrix in matrices])

    contestants = {
        "bev3d, one call": ours(lambda: batched_pairwise_iou_bev(ta, tb, of_a, of_b).values),
        "bev3d, a call for each sample": ours(lambda: [pairwise_iou_bev(*pair) for pair in tensors], read=joined),
        "usual kernel, a call for each sample": peer(
            lambda: [pairwise_usual(*pair, MARGIN_M) for pair in pieces], read=lambda _: None
        ),
    }
    truth = joined([pairwise_clipped(*pair) for pair in pieces])
    limits = (Limit("bev3d, one call", "error", 1e-12),)
    name = f"IoU matrices of {samples} samples, {truth.size:,} pairs"
    return Case(name, truth.size, "pair", contestants, limits, truth=truth)


CASES: Cases = {
    "aligned": _aligned,
    "aligned-threads": _aligned_threads,
    "matrix": _matrix,
    "matrix-threads": _matrix_threads,
    "matrix-batched": _batched,
}
