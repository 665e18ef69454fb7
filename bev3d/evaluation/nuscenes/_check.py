"""A nuScenes submission, checked before anything computes with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES

__all__ = ["MAX_BOXES", "check_results", "load_results"]

MAX_BOXES = 500
_LENGTHS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2}

Results = dict[str, list[dict[str, Any]]]


def load_results(path: Path) -> Results:
    """``results`` of a submission file.

    Raises:
        DataFormatError: no such file, no JSON, or not the object with ``meta`` and ``results`` that it should be.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataFormatError(f"{path}: no such submission") from None
    except ValueError as error:
        raise DataFormatError(f"{path}: expected a submission in JSON, got {error}") from None
    for key in ("meta", "results"):
        if not isinstance(content, dict) or not isinstance(content.get(key), dict):
            raise DataFormatError(
                f"{path}: expected an object with the objects 'meta' and 'results'; {key!r} is missing"
            )
    results: Results = content["results"]
    return results


def check_results(where: str, results: Mapping[str, Any], tokens: Sequence[str]) -> None:
    """Raise unless ``results`` answers every sample of the split and nothing else, with sound boxes.

    Args:
        where: file or argument name for the message.
        results: boxes by sample token, as in a submission.
        tokens: the samples of the split.

    Raises:
        DataFormatError: a sample missing or unknown, more than 500 boxes, a box under another sample's key, an unknown
            class or attribute, a number that is not finite, a size that is not positive. The text names the sample.
    """
    split = set(tokens)
    for token in tokens:
        if token not in results:
            missing = sum(other not in results for other in tokens)
            raise DataFormatError(
                f"{where}: expected results for all {len(tokens)} samples of the split, "
                f"sample {token} has none ({missing} missing); a sample without boxes needs an empty list"
            )
    for token, boxes in results.items():
        if token not in split:
            raise DataFormatError(f"{where}: sample {token} is not among the {len(tokens)} samples of the split")
        if not isinstance(boxes, list):
            raise DataFormatError(f"{where}, sample {token}: expected a list of boxes, got {type(boxes).__name__}")
        if len(boxes) > MAX_BOXES:
            raise DataFormatError(f"{where}, sample {token}: expected at most {MAX_BOXES} boxes, got {len(boxes)}")
        for i, box in enumerate(boxes):
            _check_box(f"{where}, sample {token}, box {i}", token, box)


def _check_box(where: str, token: str, box: Any) -> None:
    keys = ("sample_token", *_LENGTHS, "detection_name", "detection_score", "attribute_name")
    if not isinstance(box, dict) or any(key not in box for key in keys):
        missing = [key for key in keys if not isinstance(box, dict) or key not in box]
        raise DataFormatError(f"{where}: missing {', '.join(missing)}")
    if box["sample_token"] != token:
        raise DataFormatError(f"{where}: expected its key as sample_token, got {box['sample_token']!r}")
    if box["detection_name"] not in DETECTION_CLASSES:
        expected = ", ".join(DETECTION_CLASSES)
        raise DataFormatError(f"{where}: expected a detection_name out of {expected}, got {box['detection_name']!r}")
    if box["attribute_name"] and box["attribute_name"] not in ATTRIBUTE_NAMES:
        expected = ", ".join(sorted(ATTRIBUTE_NAMES))
        raise DataFormatError(
            f"{where}: expected an attribute_name out of {expected} or '', got {box['attribute_name']!r}"
        )
    for key, length in _LENGTHS.items():
        value = box[key]
        if not isinstance(value, list | tuple) or len(value) != length or not all(map(_is_finite, value)):
            raise DataFormatError(f"{where}: expected {length} finite numbers as {key}, got {value}")
    if min(box["size"]) <= 0:
        raise DataFormatError(f"{where}: expected a size > 0, got {box['size']}")
    if not any(box["rotation"]):
        raise DataFormatError(f"{where}: expected a quaternion other than 0 as rotation, got {box['rotation']}")
    if not _is_finite(box["detection_score"]):
        raise DataFormatError(f"{where}: expected a finite detection_score, got {box['detection_score']}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
