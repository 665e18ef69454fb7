"""Detections as a nuScenes submission, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bev3d._errors import DataFormatError
from bev3d._files import atomic_path
from bev3d.boxes import transform_boxes
from bev3d.boxes.convert import from_nuscenes, to_nuscenes
from bev3d.data import Detections, NuScenesDataset
from bev3d.data.nuscenes import boxes_to_global, invert_rigid
from bev3d.evaluation._match_tokens import match_tokens
from bev3d.evaluation.nuscenes._attributes import attribute_name
from bev3d.evaluation.nuscenes._check import MAX_BOXES, check_results, load_results

__all__ = ["detections_to_results", "read_nuscenes", "write_nuscenes"]

_META = {"use_camera": False, "use_lidar": True, "use_radar": False, "use_map": False, "use_external": False}

Results = dict[str, list[dict[str, Any]]]


def write_nuscenes(
    path: str | os.PathLike[str], detections: Mapping[str, Detections], dataset: NuScenesDataset
) -> None:
    """Write the JSON that the devkit and the evaluation server read; see :func:`bev3d.evaluation.write_submission`."""
    results = detections_to_results(detections, dataset)
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.write(f'{{"meta": {json.dumps(_META)}, "results": {{')
        # Sample by sample: the whole text of a large split would need gigabytes.
        for i, (token, boxes) in enumerate(results.items()):
            handle.write((",\n" if i else "\n") + f"{json.dumps(token)}: {json.dumps(boxes, allow_nan=False)}")
        handle.write("\n}}\n")


def detections_to_results(detections: Mapping[str, Detections], dataset: NuScenesDataset) -> Results:
    """``results`` of a submission: boxes in the global frame, at most 500 a sample, best scores first."""
    match_tokens("detections", detections, dataset.tokens)
    results: Results = {}
    for i, token in enumerate(dataset.tokens):
        results[token] = _sample_results(token, detections[token], dataset.global_from_sample(i))
    check_results("detections", results, dataset.tokens)
    return results


def read_nuscenes(path: str | os.PathLike[str], dataset: NuScenesDataset) -> dict[str, Detections]:
    """Read a submission into the frame of ``dataset``; see :func:`bev3d.evaluation.read_submission`."""
    results = load_results(Path(path))
    check_results(str(path), results, dataset.tokens)
    read = {}
    for i, token in enumerate(dataset.tokens):
        read[token] = _sample_detections(f"{path}, sample {token}", token, results[token], dataset, i)
    return read


def _sample_results(token: str, found: Detections, global_from_sample: np.ndarray) -> list[dict[str, Any]]:
    best = np.argsort(-found.scores, kind="stable")[:MAX_BOXES]
    translation, size, rotation, velocity = to_nuscenes(boxes_to_global(found.boxes[best], global_from_sample))
    if velocity is None:
        velocity = np.zeros((len(best), 2))
    # The metric skips a NaN velocity, so that one would hide an error: unknown is written as standing still.
    velocity = np.nan_to_num(velocity, nan=0.0)
    boxes = []
    for k, index in enumerate(best):
        name = found.class_names[found.labels[index]]
        boxes.append(
            {
                "sample_token": token,
                "translation": translation[k].tolist(),
                "size": size[k].tolist(),
                "rotation": rotation[k].tolist(),
                "velocity": velocity[k].tolist(),
                "detection_name": name,
                "detection_score": float(found.scores[index]),
                "attribute_name": attribute_name(name, float(np.hypot(*velocity[k]))),
            }
        )
    return boxes


def _sample_detections(
    where: str, token: str, boxes: list[dict[str, Any]], dataset: NuScenesDataset, index: int
) -> Detections:
    columns = [
        np.array([box[key] for box in boxes], dtype=np.float64).reshape(-1, width)
        for key, width in (("translation", 3), ("size", 3), ("rotation", 4), ("velocity", 2))
    ]
    scores = np.array([box["detection_score"] for box in boxes], dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    in_sample = transform_boxes(from_nuscenes(*columns), invert_rigid(dataset.global_from_sample(index)))
    index_of = {name: i for i, name in enumerate(dataset.class_names)}
    for box in boxes:
        if box["detection_name"] not in index_of:
            expected = ", ".join(dataset.class_names)
            raise DataFormatError(f"{where}: expected a class out of {expected}, got {box['detection_name']!r}")
    labels = np.array([index_of[box["detection_name"]] for box in boxes], dtype=np.int64)
    return Detections(token, in_sample[order], scores[order], labels[order], dataset.class_names)
