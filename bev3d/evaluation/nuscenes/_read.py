"""A submission file into columns, without an object for every box."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES, Detections
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES
from bev3d.evaluation.nuscenes._check import check_boxes, check_count, check_outer, check_tokens
from bev3d.evaluation.nuscenes._columns import NO_ATTRIBUTE, NO_POINT_COUNT, BoxColumns
from bev3d.evaluation.nuscenes._text import Text, decode_json, decode_string, load_results, read_text, result_members
from bev3d_ops.cpu._decimal import decimal_powers
from bev3d_ops.cpu._json_text import KEY_STOP, OBJECTS, VALUE_START, VALUE_STOP
from bev3d_ops.cpu._nuscenes_text import KEYS, NUMBERS, UNUSUAL, parse_samples
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["read_boxes", "results_to_columns", "submitted_results"]

LEAST_SAMPLES = 64  # worth a thread


def read_boxes(
    path: str | os.PathLike[str],
    tokens: Sequence[str],
    *,
    others: Collection[str] = (),
    keep_file_order: bool = True,
) -> BoxColumns:
    """Predictions of a submission file for the samples asked for.

    Args:
        path: JSON with ``meta`` and ``results``.
        tokens: the samples; ``sample`` of the result indexes them.
        others: samples that may have entries too, which are not read.
        keep_file_order: rows in the order of the file, otherwise in that of ``tokens``. Equal scores are ranked by it.

    Raises:
        DataFormatError: no such file, no JSON, entries missing, unknown or double, a box that the benchmark would not
            take; the text names sample, box and field.
    """
    path = Path(path)
    text = read_text(path)
    members = result_members(path, text)
    if members is None:  # not of the usual form
        return results_to_columns(str(path), load_results(path, text), tokens, others, keep_file_order)
    found = [decode_string(text, *row) for row in members[:, : KEY_STOP + 1].tolist()]
    check_tokens(str(path), found, tokens, others)
    index_of = {token: i for i, token in enumerate(tokens)}
    sample = np.array([index_of.get(token, -1) for token in found], dtype=np.int64)
    order = np.flatnonzero(sample >= 0) if keep_file_order else np.argsort(sample, kind="stable")[-len(tokens) :]
    return _parse(path, text, members[order], sample[order], tokens)


def results_to_columns(
    where: str, results: dict[str, Any], tokens: Sequence[str], others: Collection[str] = (), keep_order: bool = True
) -> BoxColumns:
    """The same for ``results`` that are in memory."""
    check_tokens(where, list(results), tokens, others)
    index_of = {token: i for i, token in enumerate(tokens)}
    parts = [BoxColumns.empty()]
    for token in results if keep_order else tokens:
        if token in index_of:
            check_boxes(f"{where}, sample {token}", token, results[token])
            parts.append(_columns(results[token], index_of[token]))
    return BoxColumns.concatenate(parts)


def submitted_results(predictions: Mapping[str, Any]) -> dict[str, Any] | None:
    """``results`` of a submission in memory, with or without what is around them; None for other things.

    Raises:
        DataFormatError: ``results`` without ``meta``, or either not an object.
    """
    if "results" in predictions and not isinstance(predictions["results"], Detections):
        return check_outer("predictions", dict(predictions))
    if predictions and any(isinstance(boxes, Detections) for boxes in predictions.values()):
        return None
    return dict(predictions)


def _parse(
    path: Path, text: Text, members: NDArray[np.int64], sample: NDArray[np.int64], tokens: Sequence[str]
) -> BoxColumns:
    stop = np.cumsum(members[:, OBJECTS])
    total = int(stop[-1]) if len(stop) else 0
    start = stop - members[:, OBJECTS]
    numbers, names = np.empty((total, NUMBERS)), np.empty((total, 2), dtype=np.int8)
    counts = np.empty(len(members), dtype=np.int64)
    powers, vocabulary = _constants()
    parse = partial(parse_samples, text, members, start, vocabulary, powers, numbers, names, counts)
    run_in_ranges(parse, len(members), LEAST_SAMPLES)
    for s in np.flatnonzero(counts > 0):
        check_count(f"{path}, sample {tokens[sample[s]]}", int(counts[s]))
    columns = _from_numbers(numbers, names, np.repeat(sample, members[:, OBJECTS]))
    if (counts == members[:, OBJECTS]).all():
        return columns
    # Samples of an unusual form go into the gaps that were left for them.
    rows, parts, done = np.arange(total), [BoxColumns.empty()], 0
    for s in np.flatnonzero(counts == UNUSUAL):
        parts.append(columns.take(rows[done : start[s]]))
        parts.append(_slowly(path, text, members[s], tokens[sample[s]], int(sample[s])))
        done = stop[s]
    parts.append(columns.take(rows[done:]))
    return BoxColumns.concatenate(parts)


def _slowly(path: Path, text: Text, member: NDArray[np.int64], token: str, sample: int) -> BoxColumns:
    where = f"{path}, sample {token}"
    boxes = decode_json(where, text[member[VALUE_START] : member[VALUE_STOP]])
    check_boxes(where, token, boxes)
    return _columns(boxes, sample)


def _columns(boxes: list[dict[str, Any]], sample: int) -> BoxColumns:
    numbers = [
        (*box["translation"], *box["size"], *box["rotation"], *box["velocity"], box["detection_score"]) for box in boxes
    ]
    names = [
        (
            DETECTION_CLASSES.index(box["detection_name"]),
            ATTRIBUTE_NAMES.index(box["attribute_name"]) if box["attribute_name"] else NO_ATTRIBUTE,
        )
        for box in boxes
    ]
    columns = _from_numbers(
        np.array(numbers, dtype=np.float64).reshape(-1, NUMBERS),
        np.array(names, dtype=np.int64).reshape(-1, 2),
        np.full(len(boxes), sample, dtype=np.int64),
    )
    # A count of 0 drops a prediction, as it does ground truth: the benchmark reads the key where it is there.
    points = np.array([box.get("num_pts", NO_POINT_COUNT) for box in boxes], dtype=np.int64)
    return replace(columns, num_points=points)


def _from_numbers(numbers: NDArray[np.float64], names: NDArray[Any], sample: NDArray[np.int64]) -> BoxColumns:
    return BoxColumns(
        sample=sample,
        translation=numbers[:, 0:3],
        size=numbers[:, 3:6],
        rotation=numbers[:, 6:10],
        velocity=numbers[:, 10:12],
        score=numbers[:, 12],
        label=names[:, 0].astype(np.int64),
        attribute=names[:, 1].astype(np.int64),
        num_points=np.full(len(numbers), NO_POINT_COUNT, dtype=np.int64),
    )


@lru_cache(maxsize=1)
def _constants() -> tuple[NDArray[np.uint64], tuple[NDArray[Any], ...]]:
    vocabulary: list[NDArray[Any]] = []
    for words in (KEYS, DETECTION_CLASSES, ATTRIBUTE_NAMES):
        vocabulary.append(np.frombuffer("".join(words).encode(), dtype=np.uint8))
        vocabulary.append(np.cumsum([0, *(len(word) for word in words)]))
    return decimal_powers(), tuple(vocabulary)
