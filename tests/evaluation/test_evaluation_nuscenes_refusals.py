"""Submissions and ground truth that the nuScenes metric refuses; the error names sample and field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.found_boxes import nothing, perfect
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesDataset
from bev3d.evaluation import evaluate_nuscenes, write_submission


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nuscenes(tmp_path_factory.mktemp("tiny") / "nuscenes", samples=3, sweeps=1)


Edit = Callable[[dict[str, Any], str], None]


def edit_box(key: str, value: Any) -> Edit:
    def edit(content: dict[str, Any], token: str) -> None:
        content["results"][token][1][key] = value

    return edit


def drop_key(content: dict[str, Any], token: str) -> None:
    del content["results"][token][1]["size"]


def drop_sample(content: dict[str, Any], token: str) -> None:
    del content["results"][token]


def add_sample(content: dict[str, Any], token: str) -> None:
    content["results"]["elsewhere"] = []


def too_many(content: dict[str, Any], token: str) -> None:
    content["results"][token] = content["results"][token][:1] * 501


def no_list(content: dict[str, Any], token: str) -> None:
    content["results"][token] = {}


def drop_meta(content: dict[str, Any], token: str) -> None:
    del content["meta"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop_sample, r"expected results for all 3 samples of the split, sample TOKEN has none \(1 missing\)"),
        (add_sample, "sample elsewhere is not among the 3 samples"),
        (too_many, "sample TOKEN: expected at most 500 boxes, got 501"),
        (drop_key, "sample TOKEN, box 1: missing size"),
        (drop_meta, "expected an object with the objects 'meta' and 'results'; 'meta' is missing"),
        (edit_box("sample_token", "other"), "sample TOKEN, box 1: expected its key as sample_token, got 'other'"),
        (edit_box("detection_name", "lorry"), "box 1: expected a detection_name out of car, .*, got 'lorry'"),
        (edit_box("attribute_name", "flying"), "box 1: expected an attribute_name out of .*, got 'flying'"),
        (edit_box("translation", [0, math.nan, 0]), "TOKEN, box 1: expected 3 finite numbers as translation, got"),
        (edit_box("velocity", [math.nan, 0]), "TOKEN, box 1: expected 2 finite numbers as velocity, got"),
        (edit_box("velocity", [0, 0, 0]), "TOKEN, box 1: expected 2 finite numbers as velocity, got"),
        (edit_box("size", [1, 0, 1]), "TOKEN, box 1: expected a size > 0, got"),
        (edit_box("rotation", [0, 0, 0, 0]), "TOKEN, box 1: expected a quaternion other than 0"),
        (edit_box("rotation", "up"), "TOKEN, box 1: expected 4 finite numbers as rotation, got up"),
        (edit_box("detection_score", math.nan), "TOKEN, box 1: expected a finite detection_score, got nan"),
        (edit_box("detection_score", 1.5), r"TOKEN, box 1: expected a detection_score in \[0, 1\], got 1.5"),
        (edit_box("detection_score", -0.1), r"TOKEN, box 1: expected a detection_score in \[0, 1\], got -0.1"),
        (edit_box("detection_score", "high"), "TOKEN, box 1: expected a finite detection_score, got high"),
        (edit_box("detection_score", True), "TOKEN, box 1: expected a finite detection_score, got True"),
        (edit_box("translation", [0, 10**400, 0]), "TOKEN, box 1: expected 3 finite numbers as translation, got"),
        (edit_box("attribute_name", None), "TOKEN, box 1: expected an attribute_name out of .* or '', got None"),
        (edit_box("num_pts", "many"), "TOKEN, box 1: expected a whole number as num_pts, got 'many'"),
        (no_list, "sample TOKEN: expected a list of boxes, got dict"),
    ],
)
def test_bad_submissions_name_the_sample(root: Path, tmp_path: Path, edit: Edit, message: str) -> None:
    dataset = NuScenesDataset(root, split="mini_val")
    path = tmp_path / "results.json"
    write_submission(path, perfect(dataset), dataset=dataset)
    content = json.loads(path.read_text())
    token = dataset.tokens[1]
    edit(content, token)
    path.write_text(json.dumps(content))
    with pytest.raises(DataFormatError, match=r"results\.json.*" + message.replace("TOKEN", token)):
        evaluate_nuscenes(root, VERSION, "mini_val", path)


def test_files_that_are_no_submission(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"absent\.json: no such submission"):
        evaluate_nuscenes(root, VERSION, "mini_val", tmp_path / "absent.json")
    (tmp_path / "half.json").write_text('{"meta": {}, "results": {')
    with pytest.raises(DataFormatError, match=r"half\.json: expected a submission in JSON"):
        evaluate_nuscenes(root, VERSION, "mini_val", tmp_path / "half.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attribute_tokens": ["a", "b"]}, "at most one attribute"),
        ({"size": [1.0, 0.0, 2.0]}, "three sizes > 0"),
        ({"rotation": [0.0, 0.0, 0.0, 0.0]}, "a rotation other than 0"),
        ({"translation": [math.inf, 0.0, 2.0]}, "finite numbers"),
    ],
)
def test_impossible_ground_truth_names_the_annotation(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    broken = tiny_nuscenes(tmp_path / "broken", samples=2, sweeps=1)
    found = nothing(NuScenesDataset(broken, split="mini_val"))
    path = broken / VERSION / "sample_annotation.json"
    rows = json.loads(path.read_text())
    if "attribute_tokens" in changes:
        attributes = json.loads((broken / VERSION / "attribute.json").read_text())
        changes = {"attribute_tokens": [row["token"] for row in attributes[:2]]}
    rows[3] |= changes
    path.write_text(json.dumps(rows))
    with pytest.raises(DataFormatError, match=rf"token {rows[3]['token']}: expected {message}"):
        evaluate_nuscenes(broken, VERSION, "mini_val", found)
