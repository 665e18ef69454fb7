"""The nuScenes metric through the devkit: stored numbers, empty submissions, custom splits and refusals."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError, MissingPackageError
from bev3d.data import DETECTION_CLASSES, Detections, NuScenesDataset
from bev3d.evaluation import evaluate_nuscenes, write_submission


@pytest.fixture(scope="module", autouse=True)
def _devkit() -> None:
    pytest.importorskip("nuscenes", reason="nuscenes-devkit is not installed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nuscenes(tmp_path_factory.mktemp("tiny") / "nuscenes", samples=3, sweeps=1)


def perfect(dataset: NuScenesDataset) -> dict[str, Detections]:
    """The ground truth as detections, with scores that differ."""
    found = {}
    for i, token in enumerate(dataset.tokens):
        sample = dataset.annotations(i)
        known = sample.labels >= 0
        scores = np.linspace(0.9, 0.5, known.sum())
        found[token] = Detections(token, sample.boxes[known], scores, sample.labels[known], dataset.class_names)
    return found


def nothing(dataset: NuScenesDataset) -> dict[str, Detections]:
    none = np.zeros(0, dtype=np.int64)
    return {t: Detections(t, np.zeros((0, 9)), np.zeros(0), none, dataset.class_names) for t in dataset.tokens}


def assert_close(ours: Any, stored: Any, path: str = "") -> None:
    """Equal to 1e-12 through dicts; None stands for NaN on both sides."""
    if isinstance(stored, dict):
        assert ours.keys() == stored.keys(), path
        for key in stored:
            assert_close(ours[key], stored[key], f"{path}/{key}")
    elif stored is None:
        assert ours is None, path
    else:
        assert math.isclose(ours, stored, rel_tol=0, abs_tol=1e-12), f"{path}: {ours} != {stored}"


@pytest.mark.parametrize("name", ["synthetic_a", "synthetic_b_ties"])
def test_real_mini_val_equals_the_stored_numbers(real_data: Path, name: str) -> None:
    root = real_data / "nuscenes_mini_val"
    stored = json.loads((root / "expected.json").read_text())["submissions"][name]
    result = evaluate_nuscenes(root, VERSION, "mini_val", root / "submissions" / f"{name}.json")
    ours = result.to_dict()
    assert result.mean_ap == stored["mean_ap"]
    for key in ("label_aps", "mean_dist_aps", "mean_ap", "label_tp_errors", "tp_errors", "tp_scores", "nd_score"):
        assert_close(ours[key], stored[key], key)
    for ours_key, key in (("num_ground_truth", "gt_kept_per_class"), ("num_predictions", "pred_kept_per_class")):
        kept = {name: count for name, count in ours[ours_key].items() if count}
        assert kept == stored["boxes"][key]
    assert set(result.present_classes) == set(stored["boxes"]["gt_kept_per_class"])
    present = [stored["mean_dist_aps"][name] for name in result.present_classes]
    assert result.present_class_mean_ap == pytest.approx(np.mean(present), abs=1e-12)
    assert result.present_class_mean_ap > result.mean_ap
    assert result.num_samples == 81


@pytest.mark.parametrize("frame", ["lidar", "level"])
def test_ground_truth_scores_perfectly(root: Path, frame: Any) -> None:
    """Boxes go to the sample's frame and back; class, distance and every error show where that would lose anything."""
    dataset = NuScenesDataset(root, split="mini_val", frame=frame)
    result = evaluate_nuscenes(root, VERSION, "mini_val", perfect(dataset), frame=frame)
    assert result.mean_ap == pytest.approx(1.0)
    assert result.present_classes == DETECTION_CLASSES
    for error in ("trans_err", "scale_err", "orient_err", "vel_err"):
        assert result.tp_errors[error] == pytest.approx(0, abs=1e-6), error
    assert result.present_class_mean_ap == pytest.approx(result.mean_ap)
    assert result.present_class_nds == pytest.approx(result.nds)


def test_a_shift_is_measured(root: Path) -> None:
    dataset = NuScenesDataset(root, split="mini_val", frame="level")
    moved = {}
    for token, found in perfect(dataset).items():
        boxes = found.boxes.copy()
        boxes[:, 0] += 0.7
        moved[token] = replace(found, boxes=boxes)
    result = evaluate_nuscenes(root, VERSION, "mini_val", moved, frame="level")
    assert result.per_class["car"].ap_by_distance == pytest.approx({0.5: 0.0, 1.0: 1.0, 2.0: 1.0, 4.0: 1.0})
    assert result.tp_errors["trans_err"] == pytest.approx(0.7)
    assert result.mean_ap == pytest.approx(0.75)


def test_no_prediction_scores_zero(root: Path) -> None:
    result = evaluate_nuscenes(root, VERSION, "mini_val", nothing(NuScenesDataset(root, split="mini_val")))
    assert (result.mean_ap, result.nds) == (0.0, 0.0)
    assert set(result.tp_errors.values()) == {1.0}
    assert (result.present_class_mean_ap, result.present_class_nds) == (0.0, 0.0)


def test_absent_classes_count_officially_and_not_otherwise(root: Path, tmp_path: Path) -> None:
    small = tiny_nuscenes(tmp_path / "cars", samples=2, sweeps=1)
    path = small / VERSION / "sample_annotation.json"
    rows = [row for row in json.loads(path.read_text()) if row["num_lidar_pts"] == 5]
    path.write_text(json.dumps(rows))
    result = evaluate_nuscenes(small, VERSION, "mini_val", perfect(NuScenesDataset(small, split="mini_val")))
    assert result.present_classes == ("car",)
    assert result.mean_ap == pytest.approx(0.1)
    assert result.present_class_mean_ap == pytest.approx(1.0)
    assert result.present_class_nds > 0.7 > result.nds


def test_custom_splits(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "two", scenes=("scene-0103", "mine"), samples=2, sweeps=1)
    found = perfect(NuScenesDataset(root, split="everything"))
    result = evaluate_nuscenes(root, VERSION, "everything", found)
    assert (result.num_samples, result.mean_ap) == (4, pytest.approx(1.0))
    with pytest.raises(DataFormatError, match="expected one of mini_train"):
        evaluate_nuscenes(root, VERSION, "every", found)
    with pytest.raises(ValueError, match="not a sample of this split"):
        evaluate_nuscenes(root, VERSION, "mini_val", found)


def test_quiet(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    evaluate_nuscenes(root, VERSION, "mini_val", nothing(NuScenesDataset(root, split="mini_val")))
    assert capfd.readouterr() == ("", "")


def test_json_and_table(root: Path, tmp_path: Path) -> None:
    from rich.console import Console

    result = evaluate_nuscenes(root, VERSION, "mini_val", perfect(NuScenesDataset(root, split="mini_val")))
    text = result.to_json(tmp_path / "out" / "metrics.json")
    assert (tmp_path / "out" / "metrics.json").read_text() == text
    content = json.loads(text)
    assert content["mean_ap"] == result.mean_ap
    assert content["label_tp_errors"]["barrier"]["vel_err"] is None
    console = Console(width=80, file=io.StringIO())
    with console.capture() as capture:
        console.print(result.table())
    printed = capture.get()
    assert "construction_vehicle" in printed
    assert "…" not in printed, "eighty columns are enough"


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


def test_a_folder_the_devkit_cannot_load(root: Path, tmp_path: Path) -> None:
    broken = tiny_nuscenes(tmp_path / "broken", samples=2, sweeps=1)
    (broken / "maps" / "map.png").unlink()
    found = nothing(NuScenesDataset(broken, split="mini_val"))
    with pytest.raises(DataFormatError, match=r"v1\.0-mini: the devkit cannot load it"):
        evaluate_nuscenes(broken, VERSION, "mini_val", found)
    (broken / VERSION).rename(broken / "v1.0-other")
    with pytest.raises(DataFormatError, match=r"refused by the devkit|cannot load it"):
        evaluate_nuscenes(broken, "v1.0-other", "mini_val", found)


def test_without_the_devkit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nuscenes", None)
    with pytest.raises(MissingPackageError, match=r"the nuScenes metric needs .* pip install 'bev3d\[nuscenes\]'"):
        evaluate_nuscenes(root, VERSION, "mini_val", {})
