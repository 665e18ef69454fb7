"""Detections as a nuScenes submission, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bev3d._check import check_choice
from bev3d._errors import DataFormatError
from bev3d._files import atomic_path
from bev3d.boxes import transform_boxes
from bev3d.boxes.convert import from_nuscenes, to_nuscenes
from bev3d.data import DETECTION_CLASSES, Detections, NuScenesDataset
from bev3d.data.nuscenes import boxes_to_global, invert_rigid
from bev3d.evaluation._match_tokens import match_tokens
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES, attribute_indices
from bev3d.evaluation.nuscenes._check import MAX_BOXES, check_boxes
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._read import read_boxes

__all__ = ["columns_to_rows", "detections_to_columns", "read_nuscenes", "write_nuscenes"]

SOURCES = ("camera", "lidar", "radar", "map", "external")


def write_nuscenes(
    path: str | os.PathLike[str],
    detections: Mapping[str, Detections],
    dataset: NuScenesDataset,
    uses: Sequence[str] = ("lidar",),
) -> None:
    """Write the JSON that the devkit and the evaluation server read; see :func:`bev3d.evaluation.write_submission`."""
    if isinstance(uses, str) or not uses:
        raise ValueError(f"uses: expected a sequence out of {', '.join(SOURCES)}, got {uses!r}")
    for source in uses:
        check_choice("uses", source, SOURCES)
    meta = {f"use_{source}": source in uses for source in SOURCES}
    match_tokens("detections", detections, dataset.tokens)
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.write(f'{{"meta": {json.dumps(meta)}, "results": {{')
        # Sample by sample: the whole text of a large split would need gigabytes.
        for i, token in enumerate(dataset.tokens):
            boxes = columns_to_rows(token, _to_columns(detections[token], dataset, i))
            check_boxes(f"detections, sample {token}", token, boxes)
            handle.write((",\n" if i else "\n") + f"{json.dumps(token)}: {json.dumps(boxes, allow_nan=False)}")
        handle.write("\n}}\n")


def detections_to_columns(
    detections: Mapping[str, Detections], dataset: NuScenesDataset, tokens: Sequence[str]
) -> BoxColumns:
    """What :func:`write_nuscenes` writes, without the file.

    Args:
        detections: by token, for every one of ``tokens``; boxes in the frame of ``dataset``.
        dataset: knows the poses.
        tokens: samples of the data set.

    Raises:
        ValueError: a sample missing or unknown, mismatched arrays.
        DataFormatError: boxes that a submission may not hold.
    """
    match_tokens("detections", detections, tokens)
    index_of = {token: i for i, token in enumerate(dataset.tokens)}
    parts = [BoxColumns.empty()]
    for i, token in enumerate(tokens):
        columns = _to_columns(detections[token], dataset, index_of[token])
        columns = replace(columns, sample=np.full(len(columns), i, dtype=np.int64))
        if not _are_sound(columns):  # the slow check says what is wrong
            check_boxes(f"detections, sample {token}", token, columns_to_rows(token, columns))
        parts.append(columns)
    return BoxColumns.concatenate(parts)


def read_nuscenes(path: str | os.PathLike[str], dataset: NuScenesDataset) -> dict[str, Detections]:
    """Read a submission into the frame of ``dataset``; see :func:`bev3d.evaluation.read_submission`."""
    boxes = read_boxes(path, dataset.tokens, keep_file_order=False)
    stops = np.searchsorted(boxes.sample, np.arange(len(dataset.tokens) + 1))
    read = {}
    for i, token in enumerate(dataset.tokens):
        one = boxes.take(np.arange(stops[i], stops[i + 1]))
        read[token] = _to_detections(f"{path}, sample {token}", one, dataset, i)
    return read


def _to_columns(found: Detections, dataset: NuScenesDataset, index: int) -> BoxColumns:
    """Upright boxes in the global frame, at most 500, best scores first."""
    for k in np.flatnonzero(np.isinf(found.boxes[:, 7:]).any(axis=1)):
        got = f"got {found.boxes[k, 7:]}"
        raise DataFormatError(f"detections, sample {found.token}, box {k}: expected a velocity in m/s or NaN, {got}")
    best = np.argsort(-found.scores, kind="stable")[:MAX_BOXES]
    pose = dataset.global_from_sample(index)
    translation, size, rotation, velocity = to_nuscenes(boxes_to_global(found.boxes[best], pose))
    if velocity is None:
        velocity = np.zeros((len(best), 2))
    # The metric skips a NaN velocity, so that one would hide an error: unknown is written as standing still.
    velocity = np.where(np.isnan(velocity), 0.0, velocity)
    official = np.array([_official_index(name) for name in found.class_names], dtype=np.int64)
    labels = official[found.labels[best]]
    for label in found.labels[best][labels < 0]:
        expected = ", ".join(DETECTION_CLASSES)
        name = found.class_names[label]
        raise DataFormatError(f"detections, sample {found.token}: expected a class out of {expected}, got {name!r}")
    return replace(
        BoxColumns.empty(len(best)),
        translation=translation,
        size=size,
        rotation=rotation,
        velocity=velocity,
        score=found.scores[best].astype(np.float64),
        label=labels,
        attribute=attribute_indices(labels, np.hypot(velocity[:, 0], velocity[:, 1])),
    )


def _official_index(class_name: str) -> int:
    return DETECTION_CLASSES.index(class_name) if class_name in DETECTION_CLASSES else -1


def _are_sound(boxes: BoxColumns) -> bool:
    numbers = (boxes.translation, boxes.size, boxes.rotation, boxes.velocity)
    finite = all(np.isfinite(values).all() for values in numbers)
    scores = bool(((boxes.score >= 0) & (boxes.score <= 1)).all())
    return finite and scores and bool((boxes.size > 0).all()) and bool(boxes.rotation.any(axis=1).all())


def columns_to_rows(token: str, boxes: BoxColumns) -> list[dict[str, Any]]:
    """Boxes of one sample as a submission has them."""
    return [
        {
            "sample_token": token,
            "translation": boxes.translation[k].tolist(),
            "size": boxes.size[k].tolist(),
            "rotation": boxes.rotation[k].tolist(),
            "velocity": boxes.velocity[k].tolist(),
            "detection_name": DETECTION_CLASSES[boxes.label[k]],
            "detection_score": float(boxes.score[k]),
            "attribute_name": ATTRIBUTE_NAMES[boxes.attribute[k]] if boxes.attribute[k] >= 0 else "",
        }
        for k in range(len(boxes))
    ]


def _to_detections(where: str, boxes: BoxColumns, dataset: NuScenesDataset, index: int) -> Detections:
    wanted = {name: i for i, name in enumerate(dataset.class_names)}
    label_of = np.array([wanted.get(name, -1) for name in DETECTION_CLASSES], dtype=np.int64)
    labels = label_of[boxes.label]
    for label in boxes.label[labels < 0]:
        expected = ", ".join(dataset.class_names)
        raise DataFormatError(f"{where}: expected a class out of {expected}, got {DETECTION_CLASSES[label]!r}")
    order = np.argsort(-boxes.score, kind="stable")
    upright = from_nuscenes(boxes.translation, boxes.size, boxes.rotation, boxes.velocity)
    in_sample = transform_boxes(upright, invert_rigid(dataset.global_from_sample(index)))
    return Detections(dataset.tokens[index], in_sample[order], boxes.score[order], labels[order], dataset.class_names)
