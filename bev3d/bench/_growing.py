"""The contestants of each growth with size."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bev3d.bench._case import Contestant, ours, peer
from bev3d.bench._packages import installed, opencv_aligned, polygons, rotated_rectangles, shapely_aligned
from bev3d.bench.cases._inputs import cloud, heaps, pairs, street
from bev3d.bench.cases._losses import focal_gradients
from bev3d.bench.cases._nms import nms_peers
from bev3d.bench.cases._overlap import MARGIN_M, matrix_peers
from bev3d.bench.cases._points import hard_voxels
from bev3d.bench.cases._scatter import rows_and_groups, scatter_gradients
from bev3d.bench.cases._targets import heatmap_contestants
from bev3d.bench.usual._loops import points_loop, points_numpy
from bev3d.bench.usual._overlap import aligned_usual
from bev3d.nms import nms_bev, nms_circle
from bev3d.overlap import iou_bev, pairwise_iou_bev
from bev3d.points import points_in_boxes
from bev3d_ops.reference import _overlap as reference

__all__ = ["aligned", "focal", "heatmap", "matrix", "nms", "points", "scatter", "voxels"]

Contestants = dict[str, Contestant]


def aligned(n: int) -> Contestants:
    """Pairs of boxes."""
    a, b = pairs(n)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    na, nb = a.astype(np.float32), b.astype(np.float32)
    contestants = {
        "bev3d": ours(lambda: iou_bev(ta, tb)),
        "usual kernel": peer(lambda: aligned_usual(na, nb, MARGIN_M)),
        "eager torch": peer(lambda: reference.aligned_iou_bev(ta, tb)),
    }
    if installed("shapely"):
        one, other = polygons(a), polygons(b)
        contestants["shapely"] = peer(lambda: shapely_aligned(one, other))
    if installed("cv2"):
        left, right = rotated_rectangles(a), rotated_rectangles(b)
        contestants["OpenCV"] = peer(lambda: opencv_aligned(left, right))
    return contestants


def matrix(n: int) -> Contestants:
    """N boxes against N boxes, at the same density."""
    spread = 50 * (n / 1000) ** 0.5
    a, b = street(n, seed=6, spread_m=spread), street(n, seed=7, spread_m=spread)
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    names = {
        "usual kernel, float32": "usual kernel",
        "powerboxes": "powerboxes",
        "shapely with its tree": "shapely",
        "Open3D iou_bev_cpu (float32)": "Open3D",
    }
    return {"bev3d": ours(lambda: pairwise_iou_bev(a32, b32)), **_renamed(matrix_peers(a, b), names)}


def nms(n: int) -> Contestants:
    """Boxes in heaps of about 20."""
    boxes, scores = heaps(n)
    names = {
        "usual kernel, greedy loop": "usual kernel, loop",
        "powerboxes": "powerboxes",
        "powerboxes, R-tree": "powerboxes, R-tree",
        "OpenCV NMSBoxesRotated": "OpenCV",
    }
    return {
        "bev3d": ours(lambda: nms_bev(boxes, scores, 0.2)),
        "bev3d, circle": ours(lambda: nms_circle(boxes, scores, 1.0)),
        **_renamed(nms_peers(boxes, scores, 0.2), names),
    }


def points(n: int) -> Contestants:
    """Points against 100 boxes."""
    boxes, some = street(100, seed=8).astype(np.float32), cloud(n)
    return {
        "bev3d": ours(lambda: points_in_boxes(some, boxes)),
        "loop in Numba": peer(lambda: points_loop(some, boxes)),
        "NumPy, box by box": peer(lambda: points_numpy(some, boxes)),
    }


def heatmap(n: int) -> Contestants:
    """Objects on a map."""
    names = {
        "bev3d, heatmap and regression": "bev3d, targets",
        "loop over objects, both": "loop, targets",
        "loop over objects, heatmap only": "loop, heatmap only",
    }
    return _renamed(heatmap_contestants(n, 256), names)


def voxels(n: int) -> Contestants:
    """Points into voxels."""
    names = {
        "bev3d, hard": "bev3d, hard",
        "bev3d, dynamic": "bev3d, dynamic",
        "hard, loop with a table of cells": "loop with a table",
        "dynamic, torch.unique of rows": "torch.unique, rows",
        "dynamic, torch.unique of keys": "torch.unique, keys",
    }
    return _renamed(hard_voxels(cloud(n)), names)


def scatter(n: int) -> Contestants:
    """Rows of 32 numbers to a tenth as many groups."""
    return scatter_gradients(*rows_and_groups(n), "max")


def focal(n: int) -> Contestants:
    """Cells of a map."""
    contestants: dict[str, Any] = focal_gradients((n,))
    return {key: contestants[key] for key in ("bev3d", "eager torch")}


def _renamed(contestants: Contestants, names: dict[str, str]) -> Contestants:
    """Those that have a short name, by it."""
    return {names[key]: contestant for key, contestant in contestants.items() if key in names}
