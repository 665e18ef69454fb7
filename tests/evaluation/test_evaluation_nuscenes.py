"""The nuScenes metric: stored numbers, empty submissions, subsets, range bands and refusals."""

from __future__ import annotations

import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.found_boxes import nothing, perfect
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES, Detections, NuScenesDataset
from bev3d.evaluation import evaluate_nuscenes, write_submission


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nuscenes(tmp_path_factory.mktemp("tiny") / "nuscenes", samples=3, sweeps=1)


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


def test_neither_devkit_nor_maps_are_needed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tiny_nuscenes(tmp_path / "bare", samples=3, sweeps=1)
    found = perfect(NuScenesDataset(bare, split="mini_val"))
    expected = evaluate_nuscenes(root, VERSION, "mini_val", found)
    for module in ("nuscenes", "pyquaternion"):
        monkeypatch.setitem(sys.modules, module, None)
    (bare / "maps" / "map.png").unlink()
    assert evaluate_nuscenes(bare, VERSION, "mini_val", found) == expected


class TestSubsets:
    @pytest.fixture
    def two(self, tmp_path: Path) -> Path:
        return tiny_nuscenes(tmp_path / "two", scenes=("scene-0103", "mine"), samples=3, sweeps=1)

    @pytest.fixture
    def everything(self, two: Path) -> dict[str, Detections]:
        """Right in the first scene, nothing in the second."""
        dataset = NuScenesDataset(two, split="everything")
        return perfect(dataset) | dict(list(nothing(dataset).items())[3:])

    def test_scenes_by_name(self, two: Path, everything: dict[str, Detections], tmp_path: Path) -> None:
        write_submission(tmp_path / "r.json", everything, dataset=NuScenesDataset(two, split="everything"))
        for predictions in (everything, tmp_path / "r.json"):
            first = evaluate_nuscenes(two, VERSION, ["scene-0103"], predictions)
            second = evaluate_nuscenes(two, VERSION, ["mine"], predictions)
            assert (first.num_samples, first.mean_ap) == (3, pytest.approx(1))
            assert (second.num_samples, second.mean_ap) == (3, 0)
            assert first.split == "scene-0103"

    def test_samples(self, two: Path, everything: dict[str, Detections], tmp_path: Path) -> None:
        write_submission(tmp_path / "r.json", everything, dataset=NuScenesDataset(two, split="everything"))
        tokens = list(everything)[1:4]
        for predictions in (everything, tmp_path / "r.json"):
            result = evaluate_nuscenes(two, VERSION, "everything", predictions, samples=tokens)
            assert result.num_samples == 3
            assert 0.3 < result.mean_ap < 0.9
            car = result.per_class["car"]
            assert (car.num_ground_truth, car.num_predictions) == (3, 2)

    def test_a_subset_is_what_a_smaller_split_is(self, two: Path, everything: dict[str, Detections]) -> None:
        tokens = list(everything)[:3]
        part = {token: everything[token] for token in tokens}
        expected = evaluate_nuscenes(two, VERSION, "mini_val", part)
        subset = evaluate_nuscenes(two, VERSION, "everything", part, samples=tokens)
        assert replace(subset, split="mini_val") == expected

    def test_refusals(self, two: Path, everything: dict[str, Detections], tmp_path: Path) -> None:
        with pytest.raises(DataFormatError, match=r"expected tokens out of the 6 of split .*, nowhere is none"):
            evaluate_nuscenes(two, VERSION, "everything", everything, samples=["nowhere"])
        with pytest.raises(DataFormatError, match=r"samples: expected tokens .*, got none"):
            evaluate_nuscenes(two, VERSION, "everything", everything, samples=[])
        with pytest.raises(DataFormatError, match="scene-7"):
            evaluate_nuscenes(two, VERSION, ["scene-7"], everything)
        strange = everything | {"nowhere": replace(next(iter(everything.values())), token="nowhere")}
        with pytest.raises(ValueError, match=r"nowhere.*not a sample"):
            evaluate_nuscenes(two, VERSION, ["mine"], strange)
        few = {token: everything[token] for token in list(everything)[:5]}
        with pytest.raises(ValueError, match=f"{list(everything)[5]} has none"):
            evaluate_nuscenes(two, VERSION, ["mine"], few)


class TestRangeBands:
    def test_bands_part_the_boxes(self, root: Path) -> None:
        found = perfect(NuScenesDataset(root, split="mini_val"))
        bands = ((0, 8), (8, 14), (14, 60))
        result = evaluate_nuscenes(root, VERSION, "mini_val", found, range_bands_m=bands)
        assert list(result.by_range) == list(bands)
        for name, one in result.per_class.items():
            parts = [band.per_class[name] for band in result.by_range.values()]
            assert sum(part.num_ground_truth for part in parts) == one.num_ground_truth
            assert sum(part.num_predictions for part in parts) == one.num_predictions
        assert all(band.present_class_mean_ap == pytest.approx(1) for band in result.by_range.values())
        content = json.loads(result.to_json())
        assert list(content["by_range"]) == ["0-8 m", "8-14 m", "14-60 m"]
        assert "by_range" not in json.loads(evaluate_nuscenes(root, VERSION, "mini_val", found).to_json())

    def test_a_band_says_where_it_fails(self, root: Path) -> None:
        dataset = NuScenesDataset(root, split="mini_val", frame="level")
        found = {}
        for token, one in perfect(dataset).items():
            near = np.hypot(one.boxes[:, 0], one.boxes[:, 1]) < 10
            found[token] = Detections(token, one.boxes[near], one.scores[near], one.labels[near], one.class_names)
        bands = ((0, 8), (12, 60))  # the LiDAR stands a metre before the vehicle's origin
        result = evaluate_nuscenes(root, VERSION, "mini_val", found, frame="level", range_bands_m=bands)
        near_band, far_band = result.by_range.values()
        assert near_band.present_class_mean_ap == pytest.approx(1)
        assert far_band.present_class_mean_ap == 0

    @pytest.mark.parametrize("band", [(5, 5), (-1, 3), (6, 2), (0, math.nan), (1, 2, 3)])
    def test_impossible_bands(self, root: Path, band: Any) -> None:
        with pytest.raises(ValueError, match="range_bands_m: expected pairs of distances"):
            evaluate_nuscenes(root, VERSION, "mini_val", {}, range_bands_m=[band])


def test_curves_as_json(root: Path, tmp_path: Path) -> None:
    result = evaluate_nuscenes(root, VERSION, "mini_val", perfect(NuScenesDataset(root, split="mini_val")))
    text = result.curves_to_json(tmp_path / "curves.json")
    assert (tmp_path / "curves.json").read_text() == text
    curves = json.loads(text)
    assert len(curves) == 40
    assert curves["car:0.5"]["precision"] == [1.0] * 101
    assert set(map(len, curves["barrier:4.0"].values())) == {101}
