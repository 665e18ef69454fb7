"""What every picture of a sample shows, whichever way it is drawn: boxes with colours, extent, ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, corners_bev
from bev3d.data._sample import Detections, Sample
from bev3d.viz._style import OTHER_CLASS, class_colours

__all__ = ["BoxSet", "detection_boxes", "forward_yaw", "ground_height", "scene_extent", "truth_boxes"]

FARTHEST_M = 100.0
MARGIN_M = 4.0
LEAST_ASPECT = 0.92


@dataclass(frozen=True, eq=False)
class BoxSet:
    """Boxes as they are drawn.

    Attributes:
        boxes: (N, 7 or 9), those that can be drawn: finite centre, sizes and yaw.
        names: class of each; ``"other"`` outside the classes.
        colours: ``#rrggbb`` of each.
        scores: (N,) of detections, None for ground truth.
        index: (N,) which box of the sample or of the detections.
    """

    boxes: NDArray[np.float64]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    scores: NDArray[np.float64] | None
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.boxes)


def truth_boxes(sample: Sample, *, theme: str) -> BoxSet:
    """The ground truth of a sample."""
    return _box_set(sample.boxes, sample.labels, None, sample.class_names, theme, np.arange(len(sample.boxes)))


def detection_boxes(detections: Detections | None, *, score_threshold: float, theme: str) -> BoxSet:
    """The detections whose score is at least the threshold; none where there are no detections."""
    if detections is None:
        empty = np.zeros(0)
        return _box_set(np.zeros((0, 9)), empty.astype(np.int64), empty, (), theme, np.zeros(0, dtype=np.int64))
    keep = np.flatnonzero(detections.scores >= score_threshold)
    return _box_set(detections.boxes, detections.labels, detections.scores, detections.class_names, theme, keep)


def _box_set(
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    scores: NDArray[np.float64] | None,
    class_names: Sequence[str],
    theme: str,
    keep: NDArray[np.int64],
) -> BoxSet:
    keep = keep[np.isfinite(boxes[keep, :7]).all(axis=1)] if len(keep) else keep
    names = tuple(class_names[labels[i]] if labels[i] >= 0 else OTHER_CLASS for i in keep)
    colours = class_colours(class_names, theme=theme)
    return BoxSet(
        boxes=boxes[keep],
        names=names,
        colours=tuple(colours[name] for name in names),
        scores=None if scores is None else scores[keep],
        index=keep.astype(np.int64),
    )


def scene_extent(sample: Sample, *others: BoxSet, range_m: Sequence[float] | None) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a picture in metres: the given range, or what holds the boxes and most points.

    Raises:
        ValueError: a range that is not (x0, y0, z0, x1, y1, z1) with x0 < x1 and y0 < y1.
    """
    if range_m is not None:
        if len(range_m) != 6 or not (range_m[0] < range_m[3] and range_m[1] < range_m[4]):
            raise ValueError(f"range_m: expected x0, y0, z0, x1, y1, z1 with x0 < x1 and y0 < y1, got {tuple(range_m)}")
        return float(range_m[0]), float(range_m[1]), float(range_m[3]), float(range_m[4])
    spots = [np.array([[-10.0, -10.0], [10.0, 10.0]])]
    xy = sample.points[:, :2][np.isfinite(sample.points[:, :2]).all(axis=1)]
    if len(xy):
        spots.append(np.quantile(xy.astype(np.float64), [0.01, 0.99], axis=0))
    spots += [corners_bev(shown.boxes).reshape(-1, 2) for shown in others if len(shown)]
    low = np.maximum(np.concatenate(spots).min(axis=0) - MARGIN_M, -FARTHEST_M)
    high = np.minimum(np.concatenate(spots).max(axis=0) + MARGIN_M, FARTHEST_M)
    # a street along one axis still gets a picture of fair width
    lack = np.maximum(LEAST_ASPECT * (high - low).max() - (high - low), 0) / 2
    low, high = low - lack, high + lack
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def ground_height(sample: Sample) -> float:
    """Height of the ground in the sample's frame, metres: the usual bottom of its boxes, else of its points."""
    boxes = sample.boxes[np.isfinite(sample.boxes[:, :6]).all(axis=1)]
    near = boxes[np.hypot(boxes[:, Box.X], boxes[:, Box.Y]) < 40]
    if len(near) >= 3:
        return float(np.median(near[:, Box.Z] - near[:, Box.HEIGHT] / 2))
    heights = sample.points[:, 2][np.isfinite(sample.points[:, 2])]
    return float(np.quantile(heights, 0.1)) if len(heights) else -1.8


def forward_yaw(sample: Sample) -> float:
    """Heading of the car in the sample's frame, radians: nuScenes' LiDAR has it along y, others along x."""
    return float(np.pi / 2) if sample.meta.get("source") == "nuscenes" else 0.0
