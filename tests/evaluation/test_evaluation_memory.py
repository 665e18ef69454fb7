"""Submissions in memory: scored like their files, refused like their files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from oracles.found_boxes import nothing, perfect
from oracles.random_nuscenes import random_nuscenes, random_submission
from oracles.tiny_nuscenes import VERSION

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import sample_tokens
from bev3d.evaluation import evaluate_nuscenes, write_submission

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_nuscenes(tmp_path_factory.mktemp("memory") / "data", seed=5, samples=3, boxes=30)


@pytest.fixture(scope="module")
def tables(root: Path) -> NuScenesTables:
    return NuScenesTables(root, VERSION)


@pytest.mark.parametrize("split", ["mini_val", "everything", ("mine", "scene-0916")])
def test_equal_to_the_file(root: Path, tables: NuScenesTables, tmp_path: Path, split: Any) -> None:
    content = random_submission(root, list(sample_tokens(tables, split)), seed=1)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    expected = evaluate_nuscenes(root, VERSION, split, path)
    assert 0 < expected.mean_ap < 1
    assert evaluate_nuscenes(root, VERSION, split, content) == expected
    assert evaluate_nuscenes(root, VERSION, split, content["results"], tables=tables) == expected


def test_subsets_of_what_is_in_memory(root: Path, tables: NuScenesTables) -> None:
    tokens = list(sample_tokens(tables, "everything"))
    content = random_submission(root, tokens, seed=2)
    whole = evaluate_nuscenes(root, VERSION, "everything", content, samples=tokens[:4])
    few = {token: content["results"][token] for token in tokens[:4]}
    assert evaluate_nuscenes(root, VERSION, "everything", few, samples=tokens[:4]) == whole
    assert whole.num_samples == 4
    scene = evaluate_nuscenes(root, VERSION, ["mine"], content)
    part = {token: content["results"][token] for token in sample_tokens(tables, ["mine"])}
    assert evaluate_nuscenes(root, VERSION, ["mine"], part) == scene


def test_no_box_at_all(root: Path, tables: NuScenesTables, tmp_path: Path) -> None:
    """Zeros in memory and from a file, not an exception."""
    dataset = NuScenesDataset(root, split="mini_val", tables=tables)
    write_submission(tmp_path / "r.json", nothing(dataset), dataset=dataset)
    empty: dict[str, list[Any]] = {token: [] for token in dataset.tokens}
    for predictions in (tmp_path / "r.json", nothing(dataset), empty, {"meta": {}, "results": empty}):
        result = evaluate_nuscenes(root, VERSION, "mini_val", predictions)
        assert (result.mean_ap, result.nds) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sample_token", "other", "expected its key as sample_token, got 'other'"),
        ("detection_name", "lorry", "expected a detection_name out of"),
        ("attribute_name", "flying", "expected an attribute_name out of"),
        ("translation", [0, math.nan, 0], "expected 3 finite numbers as translation"),
        ("rotation", [0, 0, 0, 0], "expected a quaternion other than 0 as rotation"),
        ("size", [1, 1, 0], "expected a size > 0"),
        ("detection_score", 1.01, r"expected a detection_score in \[0, 1\], got 1.01"),
        ("velocity", None, "expected 2 finite numbers as velocity"),
    ],
)
def test_boxes_that_cannot_be(root: Path, tables: NuScenesTables, key: str, value: Any, message: str) -> None:
    content = random_submission(root, list(sample_tokens(tables, "mini_val")), seed=3)
    token = next(token for token, boxes in content["results"].items() if len(boxes) > 2)
    content["results"][token][2][key] = value
    with pytest.raises(DataFormatError, match=f"predictions, sample {token}, box 2: {message}"):
        evaluate_nuscenes(root, VERSION, "mini_val", content)


def test_results_that_do_not_fit(root: Path, tables: NuScenesTables) -> None:
    tokens = list(sample_tokens(tables, "mini_val"))
    content = random_submission(root, tokens, seed=3)
    results = content["results"]
    full = next(token for token in tokens if results[token])

    def refused(predictions: Any, message: str) -> None:
        with pytest.raises(DataFormatError, match=message):
            evaluate_nuscenes(root, VERSION, "mini_val", predictions)

    refused({"results": results}, "'meta' is missing")
    refused({"meta": {}, "results": []}, "'results' is missing")
    refused({**results, "elsewhere": []}, "predictions: sample elsewhere is not among the 6 samples")
    refused({t: results[t] for t in tokens[1:]}, rf"sample {tokens[0]} has none \(1 missing\)")
    refused({}, rf"sample {tokens[0]} has none \(6 missing\)")
    refused({**results, full: results[full][:1] * 501}, f"sample {full}: expected at most 500 boxes, got 501")
    refused({**results, full: None}, f"sample {full}: expected a list of boxes, got NoneType")
    dataset = NuScenesDataset(root, split="mini_val", tables=tables)
    with pytest.raises(TypeError, match=rf"detections\['{tokens[0]}'\]: expected Detections, got list"):
        evaluate_nuscenes(root, VERSION, "mini_val", {**perfect(dataset), tokens[0]: []})
