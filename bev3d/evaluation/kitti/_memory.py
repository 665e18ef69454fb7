"""Detections in memory as lines of KITTI result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bev3d.boxes import wrap_angle
from bev3d.boxes.convert import to_kitti_camera
from bev3d.data import Detections, KittiCalib, KittiDataset
from bev3d.data.kitti import KittiLabels
from bev3d.evaluation._match_tokens import match_tokens
from bev3d.evaluation.kitti._frames import Frames, _join
from bev3d.evaluation.kitti._projection import image_boxes

__all__ = ["truth_of", "with_detections"]

DECIMALS = 6  # of result files


def truth_of(dataset: KittiDataset, indices: Sequence[int]) -> Frames:
    """Labels of these frames, without detections."""
    lines = [dataset.labels(i) for i in indices]
    truth, truth_start = _join([one.select(~one.is_dont_care) for one in lines])
    regions, regions_start = _join([one.select(one.is_dont_care) for one in lines])
    nothing = truth.select(np.zeros(0, dtype=np.int64))
    ids = tuple(dataset.tokens[i] for i in indices)
    return Frames(ids, truth, regions, nothing, truth_start, regions_start, np.zeros(len(ids) + 1, dtype=np.int64))


def with_detections(
    truth: Frames, detections: Mapping[str, Detections], views: Sequence[tuple[KittiCalib, tuple[int, int]]]
) -> Frames:
    """The frames with what :func:`bev3d.evaluation.write_submission` would write, to as many decimals.

    Args:
        truth: F frames.
        detections: by token, for every frame.
        views: calibration and picture size of each frame.

    Raises:
        ValueError: a frame missing or unknown, mismatched arrays, numbers that are not finite.
    """
    match_tokens("detections", detections, truth.ids)
    lines = [_lines(detections[token], *view) for token, view in zip(truth.ids, views, strict=True)]
    found, start = _join(lines)
    return replace(truth, found=found, found_start=start)


def _lines(found: Detections, calib: KittiCalib, image_size: tuple[int, int]) -> KittiLabels:
    boxes = found.boxes[:, :7]
    pixels, visible = image_boxes(boxes, calib, image_size)
    order = np.argsort(-found.scores, kind="stable")
    order = order[visible[order]]
    dimensions, location, rotation_y = to_kitti_camera(boxes[order], calib)
    alpha = wrap_angle(rotation_y - np.arctan2(location[:, 0], location[:, 2]))
    unknown = np.full(len(order), -1)
    return KittiLabels(
        names=tuple(found.class_names[label] for label in found.labels[order]),
        truncation=unknown.astype(np.float64),
        occlusion=unknown.astype(np.int64),
        alpha=alpha.round(DECIMALS),
        bbox=pixels[order].round(DECIMALS),
        dimensions_hwl=dimensions.round(DECIMALS),
        location=location.round(DECIMALS),
        rotation_y=rotation_y.round(DECIMALS),
        scores=found.scores[order].round(DECIMALS),
    )
