"""Suppression, beside packages, the usual loop and full matrices."""

from __future__ import annotations

import numpy as np

from bev3d.bench._case import Case, Cases, Contestant, Limit, differing, ours, peer
from bev3d.bench._packages import degrees_boxes, installed, package, rotated_rectangles
from bev3d.bench.cases._inputs import heaps
from bev3d.bench.cases._overlap import MARGIN_M
from bev3d.bench.usual._loops import matrix_nms
from bev3d.bench.usual._nms import clipped_nms, usual_nms
from bev3d.nms import nms_bev, nms_circle
from bev3d.overlap import pairwise_iou_bev

__all__ = ["CASES", "nms_peers"]

THRESHOLD = 0.2
RADIUS_M = 1.0


def nms_peers(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, Contestant]:
    """Everybody else who suppresses by rotated IoU."""
    b32 = boxes.astype(np.float32)
    contestants = {"usual kernel, greedy loop": peer(lambda: usual_nms(b32, scores, threshold, MARGIN_M))}
    if installed("powerboxes"):
        powerboxes, flat = package("powerboxes"), degrees_boxes(boxes)
        contestants["powerboxes"] = peer(lambda: powerboxes.rotated_nms(flat, scores, threshold, 0.0))
        contestants["powerboxes, R-tree"] = peer(lambda: powerboxes.rtree_rotated_nms(flat, scores, threshold, 0.0))
    if installed("cv2"):
        import cv2

        rectangles, numbers = rotated_rectangles(boxes), scores.tolist()
        contestants["OpenCV NMSBoxesRotated"] = peer(
            lambda: cv2.dnn.NMSBoxesRotated(rectangles, numbers, 0.0, threshold)
        )
    return contestants


def _rotated(small: bool) -> Case:
    n = 200 if small else 4092
    boxes, scores = heaps(n)
    contestants = {
        "bev3d": ours(lambda: nms_bev(boxes, scores, THRESHOLD)),
        **nms_peers(boxes, scores, THRESHOLD),
        "bev3d matrix, NumPy loop": peer(
            lambda: matrix_nms(lambda: pairwise_iou_bev(boxes, boxes) > THRESHOLD, scores)
        ),
    }
    limits = (Limit("bev3d", "ms", 4), Limit("bev3d", "error", 0))
    return _case(f"NMS by rotated IoU, {n:,} boxes in heaps of 20", n, contestants, limits, _exact(n))


def _exact(n: int) -> np.ndarray:
    return clipped_nms(*heaps(n), THRESHOLD)


def _case(
    name: str,
    n: int,
    contestants: dict[str, Contestant],
    limits: tuple[Limit, ...] = (),
    truth: np.ndarray | None = None,
) -> Case:
    return Case(name, n, "box", contestants, limits, truth, differing, "boxes kept or gone wrongly")


def _circle(small: bool) -> Case:
    n = 200 if small else 4092
    boxes, scores = heaps(n)

    def close() -> np.ndarray:
        x, y = boxes[:, 0], boxes[:, 1]
        return (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 <= RADIUS_M**2

    contestants = {
        "bev3d": ours(lambda: nms_circle(boxes, scores, RADIUS_M)),
        "NumPy matrix and loop": peer(lambda: matrix_nms(close, scores)),
    }
    return _case(f"NMS by distance, {n:,} boxes in heaps of 20", n, contestants, truth=matrix_nms(close, scores))


def _other(small: bool) -> Case:
    from bev3d.nms import nms_diou, nms_weighted

    n = 200 if small else 4092
    boxes, scores = heaps(n)
    contestants = {
        "bev3d, DIoU": ours(lambda: nms_diou(boxes, scores, THRESHOLD)),
        "bev3d, merging weighted by IoU": ours(lambda: nms_weighted(boxes, scores, THRESHOLD)),
    }
    return _case(f"NMS by DIoU and with merging, {n:,} boxes", n, contestants)


def _large(small: bool) -> Case:
    from bev3d.nms import nms_diou, nms_weighted

    n = 2000 if small else 100_000
    boxes, scores = heaps(n)
    contestants = {
        "bev3d": ours(lambda: nms_bev(boxes, scores, THRESHOLD)),
        "bev3d, 2 threads": ours(lambda: nms_bev(boxes, scores, THRESHOLD), threads=2),
        "bev3d, distance": ours(lambda: nms_circle(boxes, scores, RADIUS_M), read=_unknown),
        "bev3d, DIoU": ours(lambda: nms_diou(boxes, scores, THRESHOLD), read=_unknown),
        "bev3d, merging weighted by IoU": ours(lambda: nms_weighted(boxes, scores, THRESHOLD), read=_unknown),
    }
    everybody = nms_peers(boxes, scores, THRESHOLD)
    contestants.update({key: c for key, c in everybody.items() if key == "powerboxes, R-tree"})
    limits = (Limit("bev3d", "error", 0),)
    return _case(f"NMS, {n:,} boxes in heaps of 20", n, contestants, limits, _exact(n))


def _unknown(_: object) -> None:
    """The truth of the case is that of the rotated IoU alone."""


CASES: Cases = {"nms": _rotated, "nms-circle": _circle, "nms-other": _other, "nms-large": _large}
