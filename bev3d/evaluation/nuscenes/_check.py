"""A nuScenes submission, checked before anything computes with it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES

__all__ = ["MAX_BOXES", "check_boxes", "check_count", "check_outer", "check_results", "check_tokens"]

MAX_BOXES = 500
_LENGTHS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2}
_KEYS = ("sample_token", *_LENGTHS, "detection_name", "detection_score", "attribute_name")


def check_results(where: str, results: Mapping[str, Any], tokens: Sequence[str]) -> None:
    """Raise unless ``results`` answers every sample of the split and nothing else, with sound boxes.

    Args:
        where: file or argument name for the message.
        results: boxes by sample token, as in a submission.
        tokens: the samples of the split.

    Raises:
        DataFormatError: a sample missing or unknown, more than 500 boxes, a box under another sample's key, an unknown
            class or attribute, a number that is not finite, a size that is not positive, a score outside [0, 1]. The
            text names sample and field.
    """
    check_tokens(where, list(results), tokens)
    for token, boxes in results.items():
        check_boxes(f"{where}, sample {token}", token, boxes)


def check_outer(where: str, content: Any) -> dict[str, Any]:
    """``results`` of a whole submission, or an error where it is none."""
    for key in ("meta", "results"):
        if not isinstance(content, dict) or not isinstance(content.get(key), dict):
            raise DataFormatError(
                f"{where}: expected an object with the objects 'meta' and 'results'; {key!r} is missing"
            )
    results: dict[str, Any] = content["results"]
    return results


def check_tokens(where: str, found: Sequence[str], tokens: Sequence[str], others: Collection[str] = ()) -> None:
    """Raise unless ``found`` holds each of ``tokens`` once, and beside them only ``others``."""
    there: set[str] = set()
    for token in found:
        if token in there:
            raise DataFormatError(f"{where}: sample {token} appears twice")
        there.add(token)
    missing = [token for token in tokens if token not in there]
    if missing:
        raise DataFormatError(
            f"{where}: expected results for all {len(tokens)} samples of the split, "
            f"sample {missing[0]} has none ({len(missing)} missing); a sample without boxes needs an empty list"
        )
    for token in there.difference(tokens).difference(others) if len(there) > len(tokens) else ():
        raise DataFormatError(f"{where}: sample {token} is not among the {len(tokens)} samples of the split")


def check_count(where: str, count: int) -> None:
    """Raise where a sample has more boxes than the benchmark takes."""
    if count > MAX_BOXES:
        raise DataFormatError(f"{where}: expected at most {MAX_BOXES} boxes, got {count}")


def check_boxes(where: str, token: str, boxes: Any) -> None:
    """Raise unless ``boxes`` is a list of sound boxes of this sample; ``where`` names the sample."""
    if not isinstance(boxes, list):
        raise DataFormatError(f"{where}: expected a list of boxes, got {type(boxes).__name__}")
    check_count(where, len(boxes))
    for i, box in enumerate(boxes):
        _check_box(f"{where}, box {i}", token, box)


def _check_box(where: str, token: str, box: Any) -> None:
    if not isinstance(box, dict) or any(key not in box for key in _KEYS):
        missing = [key for key in _KEYS if not isinstance(box, dict) or key not in box]
        raise DataFormatError(f"{where}: missing {', '.join(missing)}")
    if box["sample_token"] != token:
        raise DataFormatError(f"{where}: expected its key as sample_token, got {box['sample_token']!r}")
    if box["detection_name"] not in DETECTION_CLASSES:
        expected = ", ".join(DETECTION_CLASSES)
        raise DataFormatError(f"{where}: expected a detection_name out of {expected}, got {box['detection_name']!r}")
    if box["attribute_name"] not in ("", *ATTRIBUTE_NAMES):
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
    score = box["detection_score"]
    if not _is_finite(score):
        raise DataFormatError(f"{where}: expected a finite detection_score, got {score}")
    if not 0 <= score <= 1:
        raise DataFormatError(f"{where}: expected a detection_score in [0, 1], got {score}")
    if not isinstance(box.get("num_pts", 0), int):
        raise DataFormatError(f"{where}: expected a whole number as num_pts, got {box['num_pts']!r}")


def _is_finite(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
