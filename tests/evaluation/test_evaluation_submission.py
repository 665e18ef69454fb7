"""Writing and reading submissions: through the devkit's own loader, there and back, and never half."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.labels_as_found import from_truth
from oracles.real_nuscenes import KEYFRAME_TOKEN, keyframe_dataset
from oracles.tiny_kitti import tiny_kitti
from oracles.tiny_nuscenes import tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.boxes import Box
from bev3d.data import Detections, KittiDataset, NuScenesDataset
from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY, read_annotations
from bev3d.evaluation import read_submission, write_submission


@pytest.fixture
def nuscenes(tmp_path: Path) -> NuScenesDataset:
    return NuScenesDataset(tiny_nuscenes(tmp_path / "n", samples=2, sweeps=1), split="mini_val")


@pytest.fixture
def kitti(tmp_path: Path) -> KittiDataset:
    return KittiDataset(tiny_kitti(tmp_path / "k"))


class TestNuScenes:
    def test_the_devkit_loads_what_is_written(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        pytest.importorskip("nuscenes")
        from nuscenes.eval.common.loaders import load_prediction
        from nuscenes.eval.detection.data_classes import DetectionBox

        path = tmp_path / "out" / "results.json"
        write_submission(path, from_truth(nuscenes), dataset=nuscenes)
        boxes, meta = load_prediction(str(path), 500, DetectionBox)
        assert meta == {
            "use_camera": False,
            "use_lidar": True,
            "use_radar": False,
            "use_map": False,
            "use_external": False,
        }
        assert boxes.sample_tokens == list(nuscenes.tokens)
        truth = read_annotations(nuscenes.tables, nuscenes.tokens[0]).boxes[:10]
        loaded = boxes[nuscenes.tokens[0]]
        np.testing.assert_allclose([box.translation for box in loaded], truth[:, Box.CENTRE], atol=1e-9)
        wlh = truth[:, [Box.WIDTH, Box.LENGTH, Box.HEIGHT]]
        np.testing.assert_allclose([box.size for box in loaded], wlh, atol=1e-12)
        known = np.nan_to_num(truth[:, Box.VELOCITY])
        np.testing.assert_allclose([box.velocity for box in loaded], known, atol=1e-9)

    @pytest.mark.parametrize("frame", ["lidar", "level"])
    def test_a_real_key_frame_goes_to_the_global_frame(self, real_data: Path, tmp_path: Path, frame: Any) -> None:
        """69 real boxes, upright in the world and therefore tilted in the LiDAR's frame, and back to where they are."""
        root = keyframe_dataset(real_data, tmp_path / "data")
        dataset = NuScenesDataset(root, split="mini_train", frame=frame)
        found = from_truth(dataset)
        write_submission(tmp_path / "r.json", found, dataset=dataset)
        rows = json.loads((tmp_path / "r.json").read_text())["results"][KEYFRAME_TOKEN]
        wanted = {tuple(row["translation"]): row for row in dataset.tables.rows("sample_annotation")}
        names = [dataset.tables.category_name(row) for row in wanted.values()]
        assert len(rows) == sum(name in DETECTION_CLASS_OF_CATEGORY for name in names) == 68
        for row in rows:
            distances = {place: math.dist(place, row["translation"]) for place in wanted}
            nearest = min(distances, key=lambda place: distances[place])
            assert distances[nearest] < 1e-9
            truth = wanted[nearest]
            np.testing.assert_allclose(row["size"], truth["size"], rtol=0, atol=1e-12)
            same_turn = abs(np.dot(row["rotation"], truth["rotation"]))  # a quaternion and its negative are one turn
            assert same_turn == pytest.approx(1, abs=1e-12)
        back = read_submission(tmp_path / "r.json", dataset=dataset)[KEYFRAME_TOKEN]
        np.testing.assert_allclose(back.boxes[:, :7], found[KEYFRAME_TOKEN].boxes[:, :7], rtol=0, atol=1e-9)

    def test_what_the_detector_has_seen(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        def meta(**options: Any) -> dict[str, bool]:
            write_submission(tmp_path / "r.json", from_truth(nuscenes), dataset=nuscenes, **options)
            meta: dict[str, bool] = json.loads((tmp_path / "r.json").read_text())["meta"]
            assert set(meta) == {"use_camera", "use_lidar", "use_radar", "use_map", "use_external"}
            return meta

        assert [key for key, used in meta().items() if used] == ["use_lidar"]
        assert [key for key, used in meta(uses=["camera"]).items() if used] == ["use_camera"]
        assert [key for key, used in meta(uses=("lidar", "camera", "map")).items() if used] == [
            "use_camera", "use_lidar", "use_map",
        ]  # fmt: skip
        refusals: list[tuple[Any, str]] = [(["sonar"], "one of camera, lidar"), ("lidar", "a sequence"), ((), "a seq")]
        for uses, expected in refusals:
            with pytest.raises(ValueError, match=f"uses: expected {expected}"):
                meta(uses=uses)

    def test_there_and_back(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        written = from_truth(nuscenes)
        write_submission(tmp_path / "r.json", written, dataset=nuscenes)
        read = read_submission(tmp_path / "r.json", dataset=nuscenes)
        assert list(read) == list(nuscenes.tokens)
        for token, found in written.items():
            np.testing.assert_allclose(read[token].boxes[:, :7], found.boxes[:, :7], atol=1e-9)
            velocity = np.nan_to_num(found.boxes[:, Box.VELOCITY])
            np.testing.assert_allclose(read[token].boxes[:, Box.VELOCITY], velocity, atol=1e-9)
            np.testing.assert_array_equal(read[token].scores, found.scores)
            np.testing.assert_array_equal(read[token].labels, found.labels)

    def test_attributes_follow_class_and_speed(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        token = nuscenes.tokens[0]
        names = nuscenes.class_names
        boxes = np.tile([0.0, 0, 0, 4, 2, 1.5, 0, 0, 0], (20, 1))
        boxes[10:, Box.VX] = 3.0
        labels = np.arange(20) % 10
        found = from_truth(nuscenes) | {token: Detections(token, boxes, np.linspace(1, 0.1, 20), labels, names)}
        write_submission(tmp_path / "r.json", found, dataset=nuscenes)
        rows = json.loads((tmp_path / "r.json").read_text())["results"][token]
        slow = {row["detection_name"]: row["attribute_name"] for row in rows[:10]}
        fast = {row["detection_name"]: row["attribute_name"] for row in rows[10:]}
        assert (slow["car"], fast["car"]) == ("vehicle.parked", "vehicle.moving")
        assert (slow["pedestrian"], fast["pedestrian"]) == ("pedestrian.standing", "pedestrian.moving")
        assert (slow["bicycle"], fast["bicycle"]) == ("cycle.without_rider", "cycle.with_rider")
        assert slow["barrier"] == fast["barrier"] == slow["traffic_cone"] == fast["traffic_cone"] == ""

    def test_the_best_500_are_kept(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        token = nuscenes.tokens[1]
        scores = np.random.default_rng(1).permutation(600) / 600
        boxes = np.tile([0.0, 0, 0, 4, 2, 1.5, 0, np.nan, np.nan], (600, 1))
        many = Detections(token, boxes, scores, np.zeros(600, dtype=np.int64), nuscenes.class_names)
        write_submission(tmp_path / "r.json", from_truth(nuscenes) | {token: many}, dataset=nuscenes)
        read = read_submission(tmp_path / "r.json", dataset=nuscenes)[token]
        np.testing.assert_allclose(read.scores, np.arange(599, 99, -1) / 600)
        assert (read.boxes[:, Box.VELOCITY] == 0).all()

    def test_a_class_the_data_set_was_not_asked_for(self, nuscenes: NuScenesDataset, tmp_path: Path) -> None:
        write_submission(tmp_path / "r.json", from_truth(nuscenes), dataset=nuscenes)
        cars = NuScenesDataset(nuscenes.dataroot, split="mini_val", class_names=("car",))
        with pytest.raises(DataFormatError, match="expected a class out of car, got 'truck'"):
            read_submission(tmp_path / "r.json", dataset=cars)


@pytest.mark.parametrize("kind", ["nuscenes", "kitti"])
class TestRefusals:
    @pytest.fixture
    def dataset(self, kind: str, request: pytest.FixtureRequest) -> NuScenesDataset | KittiDataset:
        dataset: NuScenesDataset | KittiDataset = request.getfixturevalue(kind)
        return dataset

    def refuse(self, tmp_path: Path, dataset: NuScenesDataset | KittiDataset, found: object, message: str) -> None:
        """The error comes, and nothing is left on disk."""
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match=message):
            write_submission(tmp_path / "out" / "submission", found, dataset=dataset)  # type: ignore[arg-type]
        assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.is_file()] == []
        assert not (tmp_path / "out" / "submission").exists()

    def test_what_does_not_fit(self, dataset: NuScenesDataset | KittiDataset, tmp_path: Path) -> None:
        good = from_truth(dataset)
        first, last = dataset.tokens[0], dataset.tokens[-1]
        missing = {token: found for token, found in good.items() if token != last}
        self.refuse(tmp_path, dataset, missing, f"{last} has none")
        self.refuse(tmp_path, dataset, good | {"else": good[first]}, r"detections\['else'\]: not a sample")
        self.refuse(tmp_path, dataset, good | {last: good[first]}, f"expected detections of this sample, got.*{first}")
        for changes, message in (
            ({"scores": good[last].scores[:-1]}, "scores and labels for"),
            ({"scores": good[last].scores * np.nan}, "expected finite boxes and scores"),
            ({"boxes": good[last].boxes * np.nan}, "expected finite boxes and scores"),
            ({"labels": good[last].labels + 20}, "expected labels in 0 .. "),
        ):
            self.refuse(tmp_path, dataset, good | {last: replace(good[last], **changes)}, f"{last}.*{message}")  # type: ignore[arg-type]


def test_a_size_that_is_not_positive(nuscenes: NuScenesDataset, tmp_path: Path) -> None:
    found = from_truth(nuscenes)
    last = nuscenes.tokens[-1]
    boxes = found[last].boxes.copy()
    boxes[0, Box.WIDTH] = 0
    with pytest.raises(DataFormatError, match=f"detections, sample {last}, box 0: expected a size > 0"):
        write_submission(tmp_path / "r.json", found | {last: replace(found[last], boxes=boxes)}, dataset=nuscenes)
    assert not (tmp_path / "r.json").exists()


def test_another_kind_of_data_set(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="dataset: expected a NuScenesDataset or a KittiDataset, got list"):
        write_submission(tmp_path / "r.json", {}, dataset=[])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got list"):
        read_submission(tmp_path / "r.json", dataset=[])  # type: ignore[arg-type]
