"""Samples against the unmodified devkit, on a small folder of our own and on real data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.real_nuscenes import keyframe_dataset, symlink_tree
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.boxes import Box, transform_boxes
from bev3d.data import DETECTION_CLASSES, NuScenesDataset, Sample
from bev3d.data.nuscenes import boxes_to_global, invert_rigid, pose_matrix, read_annotations


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nuscenes(tmp_path_factory.mktemp("tiny") / "nuscenes", samples=4, sweeps=3)


@pytest.fixture(scope="module")
def mini_val(real_data: Path) -> Path:
    return real_data / "nuscenes_mini_val"


def load_devkit(root: Path) -> Any:
    pytest.importorskip("nuscenes")
    from nuscenes import NuScenes

    return NuScenes(VERSION, dataroot=str(root), verbose=False)


def compare_boxes(nusc: Any, dataset: NuScenesDataset) -> int:
    """Every box against get_sample_data and box_velocity; returns how many were compared."""
    count = 0
    for i, token in enumerate(dataset.tokens):
        record = nusc.get("sample", token)
        _, boxes, _ = nusc.get_sample_data(record["data"]["LIDAR_TOP"])
        sample = dataset.annotations(i)
        assert sample.meta["annotation_tokens"] == tuple(record["anns"])
        assert sample.names == tuple(box.name for box in boxes)
        centre = np.array([box.center for box in boxes])
        wlh = np.array([box.wlh for box in boxes])
        heading = np.array([box.rotation_matrix[:2, 0] for box in boxes])
        np.testing.assert_allclose(sample.boxes[:, Box.CENTRE], centre, atol=1e-9)
        np.testing.assert_array_equal(sample.boxes[:, Box.SIZE], wlh[:, [1, 0, 2]])
        turned = sample.boxes[:, Box.YAW] - np.arctan2(heading[:, 1], heading[:, 0])
        np.testing.assert_allclose(np.sin(turned), 0, atol=1e-9)
        assert (np.cos(turned) > 0).all()
        expected = np.array([nusc.box_velocity(ann)[:2] for ann in record["anns"]])
        in_world = read_annotations(dataset.tables, token).boxes[:, Box.VELOCITY]
        np.testing.assert_array_equal(in_world, expected)
        lidar_from_global = invert_rigid(sample.meta["global_from_sample"])[:2, :2]
        np.testing.assert_allclose(sample.boxes[:, Box.VELOCITY], expected @ lidar_from_global.T, atol=1e-12)
        count += len(boxes)
    return count


def test_boxes_and_velocities_equal_the_devkits(root: Path) -> None:
    dataset = NuScenesDataset(root, split="mini_val")
    assert compare_boxes(load_devkit(root), dataset) == 9 * 4 + 2 + 1  # the cone twice, the animal once
    speeds = np.concatenate([dataset.annotations(i).boxes[:, Box.VX] for i in range(4)])
    assert 0 < np.isnan(speeds).sum() < len(speeds)


def test_real_boxes_and_velocities_equal_the_devkits(mini_val: Path) -> None:
    dataset = NuScenesDataset(mini_val, split="mini_val")
    assert len(dataset) == 81
    assert compare_boxes(load_devkit(mini_val), dataset) == 4514


@pytest.mark.parametrize("sweeps", [1, 2, 5, 100])
def test_merged_sweeps_equal_the_devkits(root: Path, sweeps: int) -> None:
    compare_sweeps(load_devkit(root), NuScenesDataset(root, split="mini_val", sweeps=sweeps))


def test_merged_sweeps_equal_the_devkits_on_real_poses(mini_val: Path, tmp_path: Path) -> None:
    """Two real scans stand in for the ones that are absent; poses, times and links are all real."""
    symlink_tree(mini_val / VERSION, tmp_path / VERSION)
    symlink_tree(mini_val / "maps", tmp_path / "maps")
    scans = sorted((mini_val / "sweeps" / "LIDAR_TOP").iterdir())
    nusc = load_devkit(tmp_path)
    for i, row in enumerate(nusc.sample_data[:40]):
        if row["channel"] == "LIDAR_TOP":
            (tmp_path / row["filename"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / row["filename"]).symlink_to(scans[i % 2])
    compare_sweeps(nusc, NuScenesDataset(tmp_path, split="mini_val", sweeps=10), samples=[1, 2])


def compare_sweeps(nusc: Any, dataset: NuScenesDataset, samples: list[int] | None = None) -> None:
    from nuscenes.utils.data_classes import LidarPointCloud

    for i in range(len(dataset)) if samples is None else samples:
        record = nusc.get("sample", dataset.tokens[i])
        cloud, lag = LidarPointCloud.from_file_multisweep(
            nusc, record, "LIDAR_TOP", "LIDAR_TOP", nsweeps=dataset.sweeps
        )
        points = dataset[i].points
        assert points.dtype == np.float32
        assert points.shape == (cloud.points.shape[1], 5)
        # both round float64 to float32; the last bit may differ where the products are summed in another order
        np.testing.assert_allclose(points[:, :3], cloud.points[:3].T, rtol=2e-7, atol=2e-6)
        np.testing.assert_allclose(points[:, 3], cloud.points[3] / 255, rtol=1e-6)
        np.testing.assert_array_equal(points[:, 4], lag[0].astype(np.float32))
        assert 0 <= points[:, 3].min() <= points[:, 3].max() <= 1


def test_ten_sweeps_are_merged_in_milliseconds(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "many", samples=1, sweeps=10)
    generator = np.random.default_rng(0)
    for path in (root / "sweeps" / "LIDAR_TOP").iterdir():
        generator.normal(scale=20, size=(30_000, 5)).astype(np.float32).tofile(path)
    dataset = NuScenesDataset(root, split="mini_val", sweeps=10)
    dataset[0]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        dataset[0]
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1, f"{1e3 * min(seconds):.1f} ms"


class TestFrames:
    def inside(self, sample: Sample) -> np.ndarray:
        """Points in each box, counted box by box."""
        points = sample.points[sample.points[:, 4] == 0, :3].astype(np.float64)
        counts = []
        for box in sample.boxes:
            offset = points - box[Box.CENTRE]
            c, s = np.cos(box[Box.YAW]), np.sin(box[Box.YAW])
            local = np.stack([offset @ (c, s, 0), offset @ (-s, c, 0), offset[:, 2]], axis=1)
            counts.append(int((np.abs(local) <= box[Box.SIZE] / 2).all(axis=1).sum()))
        return np.array(counts)

    def test_points_in_the_boxes_of_a_real_key_frame(self, real_data: Path, tmp_path: Path) -> None:
        """The recorded counts hold for boxes that are upright in the world: 69 of 69, and 61 once the tilt is gone."""
        root = keyframe_dataset(real_data, tmp_path / "key")
        for frame, equal in (("level", 69), ("lidar", 61)):
            sample = NuScenesDataset(root, split="mini_train", frame=frame)[0]  # type: ignore[arg-type]
            assert len(sample.boxes) == 69
            assert int((self.inside(sample) == sample.num_points).sum()) == equal
        assert sorted(np.bincount(sample.labels + 1).tolist()) == sorted([1, 8, 2, 1, 0, 1, 30, 0, 1, 3, 22])
        load_devkit(root)

    def test_level_keeps_origin_and_heading_and_stands_upright(self, root: Path) -> None:
        lidar = NuScenesDataset(root, split="mini_val").global_from_sample(1)
        level = NuScenesDataset(root, split="mini_val", frame="level").global_from_sample(1)
        np.testing.assert_array_equal(level[:3, 3], lidar[:3, 3])
        np.testing.assert_array_equal(level[:3, 2], [0, 0, 1])
        np.testing.assert_allclose(np.cross(level[:3, 0], [*lidar[:2, 0], 0]), 0, atol=1e-12)
        assert abs(lidar[2, 0]) > 1e-3

    @pytest.mark.parametrize("frame", ["lidar", "level"])
    def test_the_way_back_to_the_world_closes(self, root: Path, frame: Any) -> None:
        dataset = NuScenesDataset(root, split="mini_val", frame=frame)
        for i, token in enumerate(dataset.tokens):
            sample = dataset.annotations(i)
            back = boxes_to_global(sample.boxes, sample.meta["global_from_sample"])
            np.testing.assert_allclose(back, read_annotations(dataset.tables, token).boxes, atol=1e-9)

    def test_level_boxes_equal_lidar_boxes_moved(self, root: Path) -> None:
        """Going through the other frame by the general transform loses the tilt once more, and nothing else."""
        level = NuScenesDataset(root, split="mini_val", frame="level").annotations(0)
        lidar = NuScenesDataset(root, split="mini_val").annotations(0)
        matrix = invert_rigid(level.meta["global_from_sample"]) @ lidar.meta["global_from_sample"]
        moved = transform_boxes(lidar.boxes, matrix)
        np.testing.assert_allclose(moved[:, :6], level.boxes[:, :6], atol=1e-9)
        np.testing.assert_allclose(moved[:, Box.YAW], level.boxes[:, Box.YAW], atol=2e-3)


def test_labels_follow_the_classes_asked_for(root: Path) -> None:
    dataset = NuScenesDataset(root, split="mini_val", class_names=("pedestrian", "car"))
    sample = dataset.annotations(0)
    assert dataset.class_names == sample.class_names == ("pedestrian", "car")
    named = dict(zip(sample.names, sample.labels.tolist(), strict=True))
    assert named["human.pedestrian.adult"] == 0
    assert named["vehicle.car"] == 1
    assert named["vehicle.truck"] == named["animal"] == -1
    everything = NuScenesDataset(root, split="mini_val").annotations(0)
    assert sorted(everything.labels.tolist()) == [-1, *range(10)]
    assert everything.class_names == DETECTION_CLASSES


def test_what_a_sample_carries(root: Path) -> None:
    dataset = NuScenesDataset(root, split="mini_val")
    sample = dataset[0]
    assert sample.token == dataset.tokens[0]
    assert (sample.boxes.dtype, sample.labels.dtype, sample.num_points.dtype) == (np.float64, np.int64, np.int64)
    assert sample.num_points.tolist() == [5 + k for k in range(len(sample.boxes))]
    assert sample.meta["scene"] == "scene-0103"
    assert sample.meta["lidar_path"].is_file()
    assert sample.meta["attributes"][0] == "vehicle.moving"
    np.testing.assert_allclose(sample.meta["ego_translation"], [600, 1600, 0])
    bare = dataset.annotations(0)
    assert bare.points.shape == (0, 5)
    np.testing.assert_array_equal(bare.boxes, sample.boxes)


class TestBadInput:
    @pytest.fixture
    def broken(self, tmp_path: Path) -> NuScenesDataset:
        return NuScenesDataset(tiny_nuscenes(tmp_path / "t", samples=2, sweeps=2), split="mini_val", sweeps=2)

    def test_a_truncated_scan(self, broken: NuScenesDataset) -> None:
        path = broken.annotations(0).meta["lidar_path"]
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(DataFormatError, match=r"pcd\.bin: expected a multiple of 20 bytes .* got 7993 bytes"):
            broken[0]
        broken.annotations(0)

    def test_a_missing_sweep(self, broken: NuScenesDataset) -> None:
        row = broken.tables.rows("sample_data")[0]
        (broken.dataroot / row["filename"]).unlink()
        with pytest.raises(DataFormatError, match=rf"no such file \(sample_data {row['token']}\)"):
            broken[0]

    def test_arguments(self, root: Path) -> None:
        with pytest.raises(ValueError, match="sweeps: expected a number >= 1, got 0"):
            NuScenesDataset(root, split="mini_val", sweeps=0)
        with pytest.raises(ValueError, match="frame: expected one of lidar, level, got 'ego'"):
            NuScenesDataset(root, split="mini_val", frame="ego")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"class_names: expected one of car, .* got 'Car'"):
            NuScenesDataset(root, split="mini_val", class_names=("Car",))


def test_pose_matrix_is_the_devkits() -> None:
    quaternions = pytest.importorskip("pyquaternion")
    generator = np.random.default_rng(0)
    for _ in range(50):
        shift, rotation = generator.normal(size=3), generator.normal(size=4)
        matrix = pose_matrix(shift.tolist(), rotation.tolist())
        expected = quaternions.Quaternion(rotation).transformation_matrix
        np.testing.assert_allclose(matrix[:3, :3], expected[:3, :3], atol=1e-14)
        np.testing.assert_array_equal(matrix[:3, 3], shift)
        np.testing.assert_allclose(matrix @ invert_rigid(matrix), np.eye(4), atol=1e-12)
    with pytest.raises(ValueError, match="translation: expected 3 finite numbers"):
        pose_matrix([0, 0, float("nan")], [1, 0, 0, 0])
