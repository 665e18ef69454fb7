"""Overlap, suppression and points in boxes, beside shapely, NumPy and plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bev3d.bench._race import Case, Cases, Contestants, check_same
from bev3d.boxes import corners_bev
from bev3d.nms import nms_bev, nms_circle
from bev3d.overlap import iou_3d, iou_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d.points import points_in_boxes
from bev3d_ops.reference import _overlap as reference

__all__ = ["BOX_CASES"]


def _boxes(rng: np.random.Generator, n: int, spread: float = 50.0) -> np.ndarray:
    boxes = np.empty((n, 7))
    boxes[:, :2] = rng.uniform(-spread, spread, (n, 2))
    boxes[:, 2] = rng.normal(0, 0.5, n)
    boxes[:, 3:6] = rng.uniform([3, 1.5, 1.2], [6, 2.5, 2], (n, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, n)
    return boxes


def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    a = _boxes(rng, n)
    b = a + rng.normal(0, 0.3, a.shape)
    b[:, 3:6] = np.abs(b[:, 3:6]) + 0.1
    return a, b


def _polygons(boxes: np.ndarray) -> Any:
    import shapely

    return shapely.polygons(corners_bev(boxes))


def _shapely_iou(a: Any, b: Any) -> np.ndarray:
    import shapely

    both = shapely.area(shapely.intersection(a, b))
    return both / (shapely.area(a) + shapely.area(b) - both)


def _shapely_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Only pairs that a tree of bounding boxes finds, as one would do it."""
    import shapely

    one, other = _polygons(a), _polygons(b)
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    result = np.zeros((len(a), len(b)))
    result[i, j] = _shapely_iou(one[i], other[j])
    return result


def _matrix() -> Case:
    rng = np.random.default_rng(0)
    a, b = _boxes(rng, 1000), _boxes(rng, 1000)
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    ta, tb = torch.from_numpy(a)[:, None], torch.from_numpy(b)[None]
    contestants: Contestants = {
        "bev3d, float64": lambda: pairwise_iou_bev(a, b),
        "bev3d, float32": lambda: pairwise_iou_bev(a32, b32),
        "bev3d, float64, 3D": lambda: pairwise_iou_3d(a, b),
        "shapely with its tree": lambda: _shapely_matrix(a, b),
        "plain torch": lambda: reference.aligned_iou_bev(ta, tb),
    }
    check_same(pairwise_iou_bev(a, b), _shapely_matrix(a, b), reference.aligned_iou_bev(ta, tb))
    return Case("IoU matrix, 1000 x 1000, boxes over 100 m", 1_000_000, "pair", contestants)


def _aligned() -> Case:
    a, b = _pairs(50_000)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    fa, fb = ta.float(), tb.float()
    one, other = _polygons(a), _polygons(b)
    contestants: Contestants = {
        "bev3d, float64": lambda: iou_bev(ta, tb),
        "bev3d, float32": lambda: iou_bev(fa, fb),
        "bev3d, float64, 3D": lambda: iou_3d(ta, tb),
        "plain torch": lambda: reference.aligned_iou_bev(ta, tb),
        "shapely, polygons ready": lambda: _shapely_iou(one, other),
    }
    check_same(iou_bev(ta, tb), _shapely_iou(one, other), reference.aligned_iou_bev(ta, tb))
    return Case("IoU of aligned pairs, 50,000", 50_000, "pair", contestants)


def _aligned_warm() -> Case:
    a, b = (torch.from_numpy(boxes) for boxes in _pairs(50_000))
    return Case(
        "IoU of aligned pairs, 50,000, in a loop alone", 50_000, "pair", {"bev3d, float64": lambda: iou_bev(a, b)}
    )


def _gradient() -> Case:
    a, b = (torch.from_numpy(boxes).requires_grad_() for boxes in _pairs(20_000))

    def run() -> None:
        torch.autograd.grad(iou_3d(a, b).sum(), (a, b))

    return Case("3D IoU and both gradients, 20,000 pairs", 20_000, "pair", {"bev3d (plain torch, closed form)": run})


def _clusters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    boxes = _boxes(rng, 200)[rng.integers(0, 200, 4092)] + rng.normal(0, 0.15, (4092, 7))
    return boxes, rng.random(4092)


def _greedy(goes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    alive = np.ones(len(scores), bool)
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if alive[i]:
            kept.append(i)
            alive &= ~goes[i]
    return np.array(kept)


def _nms() -> Case:
    boxes, scores = _clusters()
    contestants: Contestants = {
        "bev3d": lambda: nms_bev(boxes, scores, 0.2),
        "bev3d matrix, NumPy loop": lambda: _greedy(pairwise_iou_bev(boxes, boxes) > 0.2, scores),
        "shapely matrix, NumPy loop": lambda: _greedy(_shapely_matrix(boxes, boxes) > 0.2, scores),
    }
    check_same(*(function() for function in contestants.values()))
    return Case("NMS by rotated IoU, 4,092 boxes in 200 heaps", 4092, "box", contestants)


def _circle() -> Case:
    boxes, scores = _clusters()

    def plain() -> np.ndarray:
        x, y = boxes[:, 0], boxes[:, 1]
        return _greedy((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 <= 1.0, scores)

    contestants: Contestants = {"bev3d": lambda: nms_circle(boxes, scores, 1.0), "NumPy": plain}
    check_same(*(function() for function in contestants.values()))
    return Case("NMS by distance, 4,092 boxes in 200 heaps", 4092, "box", contestants)


def _points() -> Case:
    rng = np.random.default_rng(3)
    boxes = _boxes(rng, 100).astype(np.float32)
    points = np.empty((200_000, 3), np.float32)
    points[:, :2], points[:, 2] = rng.uniform(-50, 50, (200_000, 2)), rng.normal(0, 1, 200_000)
    swept = np.ascontiguousarray(points[np.argsort(np.arctan2(points[:, 1], points[:, 0]))])
    wide = points.astype(np.float64)

    def plain() -> np.ndarray:
        owner = np.full(len(wide), -1)
        for j, (x, y, z, length, width, height, yaw) in reversed(list(enumerate(boxes.astype(np.float64)))):
            dx, dy, c, s = wide[:, 0] - x, wide[:, 1] - y, np.cos(yaw), np.sin(yaw)
            inside = (np.abs(dx * c + dy * s) <= length / 2) & (np.abs(dy * c - dx * s) <= width / 2)
            owner[inside & (np.abs(wide[:, 2] - z) <= height / 2)] = j
        return owner

    contestants: Contestants = {
        "bev3d, points in random order": lambda: points_in_boxes(points, boxes),
        "bev3d, points by azimuth": lambda: points_in_boxes(swept, boxes),
        "NumPy, loop over boxes": plain,
    }
    check_same(points_in_boxes(points, boxes), plain())
    return Case("Points in boxes, 200,000 x 100", 20_000_000, "test", contestants)


BOX_CASES: Cases = (_matrix, _aligned, _aligned_warm, _gradient, _nms, _circle, _points)
