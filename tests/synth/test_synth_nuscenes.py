"""The synthetic nuScenes folder, seen through the unmodified devkit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bev3d._errors import ConfigError, UserError
from bev3d.synth import write_nuscenes
from bev3d.synth._nuscenes_scene import ScenePlan
from bev3d.synth._tokens import MINI_TRAIN, MINI_VAL

VERSION = "v1.0-mini"
SMALL = {"train_scenes": 2, "val_scenes": 3, "samples": 3, "sweeps": 2, "seed": 5}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scenes, three of them for validation."""
    return write_nuscenes(tmp_path_factory.mktemp("synth") / "nuscenes", **SMALL)


@pytest.fixture(scope="module")
def devkit(root: Path) -> Any:
    """The folder as the devkit loads it."""
    nuscenes = pytest.importorskip("nuscenes", reason="needs nuscenes-devkit")
    return nuscenes.NuScenes(VERSION, str(root), verbose=False)


def digests(root: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_gives_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    arguments = {"train_scenes": 1, "val_scenes": 2, "samples": 2, "sweeps": 2}
    one = digests(write_nuscenes(tmp_path / "a", seed=1, workers=1, **arguments))
    assert one == digests(write_nuscenes(tmp_path / "b", seed=1, workers=3, **arguments))
    other = digests(write_nuscenes(tmp_path / "c", seed=2, workers=1, **arguments))
    lidar = [name for name in one if name.endswith(".pcd.bin")]
    assert len(lidar) == 12
    assert not {one[name] for name in lidar} & {other[name] for name in lidar}


def test_all_tables_close(devkit: Any, root: Path) -> None:
    assert len(devkit.scene) == 5
    assert len(devkit.sample) == 15
    assert {scene["name"][6:] for scene in devkit.scene} == {*MINI_VAL, *MINI_TRAIN[:2], "5000"}
    for scene in devkit.scene:
        steps, token = 0, scene["first_sample_token"]
        while token:
            steps, last, token = steps + 1, token, devkit.get("sample", token)["next"]
        assert (steps, last) == (scene["nbr_samples"], scene["last_sample_token"])
    for sample in devkit.sample:
        assert len(sample["data"]) == 7
        assert sample["anns"]
    for instance in devkit.instance:
        chain, token = [], instance["first_annotation_token"]
        while token:
            chain.append(token)
            token = devkit.get("sample_annotation", token)["next"]
        assert (len(chain), chain[-1]) == (instance["nbr_annotations"], instance["last_annotation_token"])
    lidar = [row for row in devkit.sample_data if row["channel"] == "LIDAR_TOP"]
    assert len(lidar) == 30
    for row in lidar:
        assert (root / row["filename"]).stat().st_size % 20 == 0
        if row["prev"]:
            assert devkit.get("sample_data", row["prev"])["timestamp"] < row["timestamp"]


def test_recorded_points_are_in_the_boxes_of_the_devkit(devkit: Any) -> None:
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import points_in_box

    compared = filled = 0
    for sample in devkit.sample[:6]:
        path, boxes, _ = devkit.get_sample_data(sample["data"]["LIDAR_TOP"])
        points = LidarPointCloud.from_file(path).points[:3].astype(np.float64)
        assert 24_000 < points.shape[1] < 34_688
        for box in boxes:
            recorded = devkit.get("sample_annotation", box.token)["num_lidar_pts"]
            assert int(points_in_box(box, points).sum()) == recorded
            compared, filled = compared + 1, filled + (recorded > 0)
    assert compared > 200
    assert filled > 0.35 * compared


def test_velocity_through_the_links_is_the_planned_one(devkit: Any) -> None:
    from bev3d.synth._nuscenes_scene import build_scene_world

    straight = 0
    for number, scene in enumerate(devkit.scene):
        plan = ScenePlan(scene["name"], number, SMALL["samples"], SMALL["sweeps"], SMALL["seed"])
        world = build_scene_world(plan)
        planned = world.boxes(0.0)[:, 7:9]
        for i in np.flatnonzero(np.abs(world.bodies[: len(world.kinds), 4]) == 0.0):
            for index in range(plan.samples):
                token = plan.token("annotation", i, index)
                if token not in devkit._token2ind["sample_annotation"]:
                    continue
                found = devkit.box_velocity(token)
                if np.isfinite(found[0]):
                    np.testing.assert_allclose(found[:2], planned[i], atol=2e-5)
                    straight += planned[i].any()
    assert straight > 50


@pytest.mark.parametrize("split", ["synth_val", "mini_val"])
def test_devkit_scores_the_truth_with_one(devkit: Any, tmp_path: Path, split: str) -> None:
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.detection.evaluate import DetectionEval
    from nuscenes.eval.detection.utils import category_to_detection_name

    names = set(json.loads((Path(devkit.dataroot) / VERSION / "splits.json").read_text())[split])
    results: dict[str, list[dict[str, Any]]] = {}
    for sample in devkit.sample:
        if devkit.get("scene", sample["scene_token"])["name"] not in names:
            continue
        results[sample["token"]] = [
            {
                "sample_token": sample["token"],
                "translation": row["translation"],
                "size": row["size"],
                "rotation": row["rotation"],
                "velocity": np.nan_to_num(devkit.box_velocity(row["token"])[:2]).tolist(),
                "detection_name": category_to_detection_name(row["category_name"]),
                "detection_score": 1.0,
                "attribute_name": "".join(devkit.get("attribute", a)["name"] for a in row["attribute_tokens"]),
            }
            for row in (devkit.get("sample_annotation", token) for token in sample["anns"])
            if category_to_detection_name(row["category_name"]) and row["num_lidar_pts"]
        ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"meta": {"use_lidar": True}, "results": results}))
    config = config_factory("detection_cvpr_2019")
    evaluation = DetectionEval(devkit, config, str(path), split, str(tmp_path), verbose=False)
    metrics, _ = evaluation.evaluate()
    present = {box.detection_name for box in evaluation.gt_boxes.all}
    assert {"car", "pedestrian", "truck"} <= present
    for name in present:
        assert np.mean(list(metrics._label_aps[name].values())) > 0.999, name


def test_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bev3d.synth import _nuscenes

    arguments = {"train_scenes": 2, "val_scenes": 1, "samples": 1, "sweeps": 2, "seed": 3}
    whole = digests(write_nuscenes(tmp_path / "whole", **arguments))
    real, done = _nuscenes.write_scene, []

    def failing(plan: ScenePlan, root: Path) -> Any:
        if len(done) == 2:
            raise OSError("disk full")
        done.append(plan.name)
        return real(plan, root)

    monkeypatch.setattr(_nuscenes, "write_scene", failing)
    with pytest.raises(OSError, match="disk full"):
        write_nuscenes(tmp_path / "part", workers=1, **arguments)
    assert not (tmp_path / "part" / VERSION).exists()
    done.clear()
    write_nuscenes(tmp_path / "part", workers=1, **arguments)
    assert done == ["scene-0553"]
    assert digests(tmp_path / "part") == whole
    done.clear()
    write_nuscenes(tmp_path / "part", workers=1, **arguments)
    assert done == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_scenes": 0, "val_scenes": 0}, r"train_scenes \+ val_scenes: expected at least 1 scene"),
        ({"train_scenes": -1}, r"train_scenes: expected an integer >= 0, got -1"),
        ({"samples": 0}, r"samples: expected an integer >= 1, got 0"),
        ({"sweeps": 11}, r"sweeps: expected 1 to 10"),
        ({"seed": -3}, r"seed: expected an integer >= 0, got -3"),
        ({"workers": 0}, r"workers: expected an integer >= 1, got 0"),
        ({"samples": 2.5}, r"samples: expected an integer >= 1, got 2.5"),
    ],
)
def test_impossible_numbers_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    arguments = {"train_scenes": 1, "val_scenes": 1, "samples": 1, "sweeps": 1, **changed}
    with pytest.raises(ConfigError, match=message):
        write_nuscenes(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_foreign_folders_are_refused(tmp_path: Path, root: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"expected a new or empty folder"):
        write_nuscenes(tmp_path, train_scenes=1, val_scenes=1)
    with pytest.raises(UserError, match=r"another synthetic data set \(seed 5 there, 6 asked\)"):
        write_nuscenes(root, **{**SMALL, "seed": 6})
    with pytest.raises(UserError, match="found a file"):
        write_nuscenes(tmp_path / "notes.txt", train_scenes=1, val_scenes=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
