"""The nuScenes metric and the reading of submissions, beside the devkit on a slice and alone at validation size."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bev3d._errors import require
from bev3d._files import write_json
from bev3d.bench._case import Case, Cases, Limit, ours, peer
from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._filter import keep_what_counts
from bev3d.evaluation.nuscenes._protocol import TP_ERRORS
from bev3d.evaluation.nuscenes._read import read_boxes
from bev3d.evaluation.nuscenes._result import NuScenesResult
from bev3d.evaluation.nuscenes._submission import columns_to_rows
from bev3d.evaluation.nuscenes._summary import evaluate_boxes

__all__ = ["CASES"]

VALIDATION, SLICE = 6019, 100
FOUND, TRUTH = 200, 31  # boxes a sample
SHARES = np.array([0.43, 0.08, 0.01, 0.02, 0.01, 0.19, 0.01, 0.01, 0.09, 0.15])  # of the ten classes
NAMES = ("recall", "precision", "confidence", *TP_ERRORS)
PURPOSE = "the devkit beside ours"


def _boxes(samples: int) -> tuple[BoxColumns, BoxColumns]:
    """Ground truth around the origin, and predictions of which half lie near some of it."""
    rng = np.random.default_rng(0)
    truth = _random(samples, TRUTH, rng)
    truth = replace(truth, num_points=rng.integers(0, 30, len(truth)), velocity=rng.normal(size=(len(truth), 2)))
    found = replace(_random(samples, FOUND, rng), score=rng.random(samples * FOUND) ** 3)
    near = np.flatnonzero(rng.random(len(found)) < 0.5)
    partner = found.sample[near] * TRUTH + rng.integers(0, TRUTH, len(near))
    scale = rng.choice([0.2, 1.0, 3.0], size=(len(near), 1))
    found.translation[near] = truth.translation[partner] + scale * rng.normal(size=(len(near), 3))
    found.label[near] = truth.label[partner]
    return truth, found


def _random(samples: int, each: int, rng: np.random.Generator) -> BoxColumns:
    n = samples * each
    half = rng.uniform(-np.pi, np.pi, n) / 2
    return replace(
        BoxColumns.empty(n),
        sample=np.repeat(np.arange(samples), each),
        translation=rng.normal(scale=25, size=(n, 3)),
        size=rng.uniform(0.5, 5, size=(n, 3)),
        rotation=np.stack([np.cos(half), np.zeros(n), np.zeros(n), np.sin(half)], axis=1),
        velocity=rng.normal(scale=3, size=(n, 2)),
        label=rng.choice(len(DETECTION_CLASSES), n, p=SHARES / SHARES.sum()),
        attribute=rng.integers(-1, len(ATTRIBUTE_NAMES), n),
    )


def _score(truth: BoxColumns, found: BoxColumns, samples: int) -> NuScenesResult:
    ego = np.zeros((samples, 2))
    counting, seen = (keep_what_counts(boxes, BoxColumns.empty(), ego) for boxes in (truth, found))
    return evaluate_boxes("synthetic", counting, seen, samples)


def _numbers(result: NuScenesResult) -> np.ndarray:
    return np.array([[one.to_dict()[name] for name in NAMES] for one in result.curves.values()])


def _beside_the_devkit(small: bool) -> Case:
    samples = 2 if small else SLICE
    truth, found = _boxes(samples)
    theirs = _devkit(truth, found, samples)
    result = _score(truth, found, samples)
    contestants = {
        "bev3d": ours(lambda: _score(truth, found, samples), read=_numbers),
        "nuscenes-devkit": peer(theirs),
    }
    return Case(
        f"nuScenes metric, {samples} samples x {FOUND} boxes", samples, "sample", contestants,
        (Limit("bev3d", "times faster", 40, than="nuscenes-devkit"),), theirs() if result.mean_ap > 0 else None,
        error_name="greatest difference from the devkit's 320 curves",
    )  # fmt: skip


def _devkit(truth: BoxColumns, found: BoxColumns, samples: int) -> Any:
    """The devkit's own filter on the range, matching and means; its boxes are made here and not timed."""
    require("nuscenes", extra="nuscenes", purpose=PURPOSE)
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.common.data_classes import EvalBoxes
    from nuscenes.eval.detection.data_classes import DetectionBox
    from nuscenes.eval.detection.evaluate import DetectionEval

    config = config_factory("detection_cvpr_2019")
    made = []
    for boxes in (truth, found):
        made.append(EvalBoxes())
        for sample in range(samples):
            part = boxes.take(boxes.sample == sample)
            rows = columns_to_rows(str(sample), part)
            extras = [{"num_pts": int(n), "ego_translation": row["translation"]} for n, row in
                      zip(part.num_points, rows, strict=True)]  # fmt: skip
            boxes_of = [DetectionBox.deserialize(row | extra) for row, extra in zip(rows, extras, strict=True)]
            made[-1].add_boxes(str(sample), boxes_of)

    def run() -> np.ndarray:
        kept = []
        for boxes in made:
            kept.append(EvalBoxes())
            for token in boxes.sample_tokens:
                near = [b for b in boxes[token] if b.ego_dist < config.class_range[b.detection_name] and b.num_pts]
                kept[-1].add_boxes(token, near)
        judge = DetectionEval.__new__(DetectionEval)  # its constructor wants a data set on the disk
        judge.cfg, judge.verbose, judge.gt_boxes, judge.pred_boxes = config, False, *kept
        _, curves = judge.evaluate()
        return np.array([[getattr(data, name) for name in NAMES] for data in curves.md.values()])

    return run


def _at_validation_size(small: bool) -> Case:
    samples = 20 if small else VALIDATION
    truth, found = _boxes(samples)
    contestants = {"bev3d": ours(lambda: _score(truth, found, samples), read=_numbers)}
    name = f"nuScenes metric, {samples:,} samples x {FOUND} boxes"
    return Case(name, samples, "sample", contestants, (Limit("bev3d", "ms", 1500),))


@cache
def _submission(samples: int) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A file that lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="bev3d_bench_")
    _, found = _boxes(samples)
    results = {}
    for k in range(samples):
        token = hashlib.md5(str(k).encode(), usedforsecurity=False).hexdigest()
        results[token] = columns_to_rows(token, found.take(found.sample == k))
    write_json(Path(folder.name) / "results.json", {"meta": {}, "results": results}, indent=None)
    return folder, Path(folder.name) / "results.json"


def _reading(small: bool) -> Case:
    require("nuscenes", extra="nuscenes", purpose=PURPOSE)
    from nuscenes.eval.common.loaders import load_prediction
    from nuscenes.eval.detection.data_classes import DetectionBox

    samples = 2 if small else SLICE
    _, path = _submission(samples)
    tokens = [hashlib.md5(str(k).encode(), usedforsecurity=False).hexdigest() for k in range(samples)]
    contestants = {
        "bev3d": ours(lambda: read_boxes(path, tokens), read=lambda boxes: boxes.translation),
        "nuscenes-devkit": peer(
            lambda: load_prediction(str(path), 500, DetectionBox)[0],
            read=lambda boxes: np.array([box.translation for box in boxes.all]),
        ),
    }
    return Case(
        f"Submission of {samples} samples x {FOUND} boxes read", samples, "sample", contestants,
        (Limit("bev3d", "times faster", 8, than="nuscenes-devkit"),), _boxes(samples)[1].translation,
    )  # fmt: skip


CASES: Cases = {
    "score-nuscenes": _beside_the_devkit, "score-nuscenes-validation": _at_validation_size, "read-nuscenes": _reading,
}  # fmt: skip
