"""Ground truth read once: the same numbers as by files, subsets, speed, and one call by configuration."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from oracles.found_boxes import perfect
from oracles.tiny_kitti import tiny_kitti
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.config import load_config
from bev3d.data import Detections, KittiDataset, NuScenesDataset, open_dataset
from bev3d.evaluation import (
    KittiEvaluator,
    NuScenesEvaluator,
    compare_nuscenes,
    evaluate_kitti,
    evaluate_nuscenes,
    make_evaluator,
    write_submission,
)
from bev3d.evaluation.kitti import read_frames
from bev3d.synth import write_kitti, write_nuscenes


def shaken(dataset: NuScenesDataset | KittiDataset, *, seed: int = 0, extra: int = 0) -> dict[str, Detections]:
    """The ground truth, shifted, with invented boxes."""
    rng = np.random.default_rng(seed)
    found = {}
    for i, token in enumerate(dataset.tokens):
        sample = dataset.annotations(i)
        known = np.flatnonzero(sample.labels >= 0)
        known = known[rng.random(len(known)) < 0.85]
        boxes = np.concatenate([sample.boxes[known], np.tile([20.0, 5, -1, 4, 2, 1.5, 0.3, 0, 0], (extra, 1))])
        boxes[:, :2] += rng.normal(scale=0.25, size=(len(boxes), 2))
        boxes[len(known) :, :2] += rng.uniform((0, -15), (30, 15), size=(extra, 2))
        labels = np.concatenate([sample.labels[known], rng.integers(0, len(dataset.class_names), extra)])
        order = rng.permutation(len(boxes))
        scores = np.sort(rng.random(len(boxes)))[::-1].copy()
        found[token] = Detections(token, boxes[order], scores, labels[order].astype(np.int64), dataset.class_names)
    return found


@pytest.fixture(scope="module")
def nuscenes_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synth") / "nuscenes"
    write_nuscenes(root, train_scenes=1, val_scenes=2, samples=3, sweeps=1)
    return root


@pytest.fixture(scope="module")
def kitti_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synth") / "kitti"
    write_kitti(root, train_frames=2, val_frames=8)
    return root


class TestNuScenes:
    def test_detections_score_as_their_file_does(self, nuscenes_root: Path, tmp_path: Path) -> None:
        dataset = NuScenesDataset(nuscenes_root, split="mini_val")
        found = shaken(dataset, extra=10)
        evaluate = NuScenesEvaluator(nuscenes_root, VERSION, "mini_val")
        write_submission(tmp_path / "r.json", found, dataset=dataset)
        by_file = evaluate_nuscenes(nuscenes_root, VERSION, "mini_val", tmp_path / "r.json")
        for _ in range(2):
            assert evaluate(found) == by_file
        assert 0.05 < by_file.present_class_mean_ap < 0.99
        assert evaluate.compare(found, found, resamples=5).means["mAP"].first == pytest.approx(by_file.mean_ap)
        analysis = evaluate.analyse(found)
        assert analysis.to_dict() == evaluate.analyse(evaluate.read(tmp_path / "r.json")).to_dict()

    def test_a_subset_leaves_other_samples_out(self, nuscenes_root: Path) -> None:
        dataset = NuScenesDataset(nuscenes_root, split="mini_val")
        found = shaken(dataset)
        tokens = list(dataset.tokens[1:4])
        evaluate = NuScenesEvaluator(nuscenes_root, VERSION, "mini_val", samples=tokens)
        assert evaluate.tokens == tuple(tokens)
        assert evaluate(found) == evaluate({token: found[token] for token in tokens})
        assert evaluate(found).num_samples == 3
        with pytest.raises(ValueError, match=f"{tokens[2]} has none"):
            evaluate({token: found[token] for token in tokens[:2]})

    def test_frames_and_scenes(self, tmp_path: Path) -> None:
        root = tiny_nuscenes(tmp_path / "two", scenes=("scene-0103", "mine"), samples=3, sweeps=1)
        dataset = NuScenesDataset(root, split="everything", frame="level")
        evaluate = NuScenesEvaluator(root, VERSION, "everything", frame="level", tables=dataset.tables)
        assert evaluate(perfect(dataset)).mean_ap == pytest.approx(1)
        assert evaluate.scenes == ("scene-0103",) * 3 + ("mine",) * 3
        drawn = compare_nuscenes(
            root, VERSION, "everything", perfect(dataset), perfect(dataset), frame="level", unit="scenes", resamples=5
        )
        assert (drawn.unit, drawn.num_units) == ("scenes", 2)
        assert "few" in drawn.note

    def test_two_hundred_samples_in_under_a_second(self, tmp_path: Path) -> None:
        root = tiny_nuscenes(tmp_path / "many", samples=200, sweeps=1)
        dataset = NuScenesDataset(root, split="mini_val")
        found = shaken(dataset, extra=190)
        evaluate = NuScenesEvaluator(root, VERSION, "mini_val", tables=dataset.tables)
        evaluate(found)
        start = time.process_time()
        result = evaluate(found)
        assert time.process_time() - start < 1
        assert sum(one.num_predictions for one in result.per_class.values()) > 25_000


class TestKitti:
    def test_detections_score_as_their_files_do(self, kitti_folder: Path, tmp_path: Path) -> None:
        dataset = KittiDataset(kitti_folder, split="val")
        found = shaken(dataset, extra=5)
        evaluate = KittiEvaluator(dataset)
        write_submission(tmp_path / "results", found, dataset=dataset)
        by_file = evaluate_kitti(kitti_folder / "training" / "label_2", tmp_path / "results")
        assert evaluate(found) == by_file
        assert evaluate(found) == by_file
        assert 0.02 < by_file.mean_ap < 0.99
        assert evaluate.analyse(found, difficulty="hard").errors.hits["Car"] > 0

    def test_lines_are_those_of_the_files(self, kitti_folder: Path, tmp_path: Path) -> None:
        """Also of boxes out of the picture, behind the camera, and through its plane."""
        dataset = KittiDataset(kitti_folder, split="val")
        found = shaken(dataset, extra=4)
        for one in found.values():
            one.boxes[:3, :2] = [[-20, 0], [30, 60], [0.3, 0.5]]
        write_submission(tmp_path / "results", found, dataset=dataset)
        ours = KittiEvaluator(dataset).frames(found)
        theirs = read_frames(kitti_folder / "training" / "label_2", tmp_path / "results", dataset.tokens)
        assert len(ours.found) < sum(len(one.boxes) for one in found.values())
        for name in ("truth_start", "regions_start", "found_start"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        for part in ("truth", "regions", "found"):
            mine, other = getattr(ours, part), getattr(theirs, part)
            for column in fields(mine):
                a, b = getattr(mine, column.name), getattr(other, column.name)
                assert a == b if column.name == "names" else np.allclose(a, b, rtol=0, atol=1e-12, equal_nan=True)

    def test_mean_ap_is_over_classes_with_objects(self, tmp_path: Path) -> None:
        dataset = KittiDataset(tiny_kitti(tmp_path), split="train")
        result = KittiEvaluator(dataset)(shaken(dataset))
        levels = [result.r40(name, "3d", "moderate") for name in ("Car", "Pedestrian")]
        assert result.mean_ap == pytest.approx(np.nanmean(levels) / 100, nan_ok=True)

    def test_subsets_and_refusals(self, kitti_folder: Path) -> None:
        dataset = KittiDataset(kitti_folder, split="val")
        found = shaken(dataset)
        tokens = list(dataset.tokens[2:5])
        evaluate = KittiEvaluator(dataset, tokens=tokens)
        assert evaluate(found).num_frames == 3
        assert evaluate(found) == evaluate({token: found[token] for token in tokens})
        with pytest.raises(ValueError, match=f"{tokens[0]} has none"):
            evaluate({token: found[token] for token in tokens[1:]})
        with pytest.raises(DataFormatError, match="nowhere is none"):
            KittiEvaluator(dataset, tokens=["nowhere"])
        with pytest.raises(DataFormatError, match="got none"):
            KittiEvaluator(dataset, tokens=[])
        with pytest.raises(DataFormatError, match=f"tokens: expected each frame once, got {tokens[0]} twice"):
            KittiEvaluator(dataset, tokens=[*tokens, tokens[0]])
        with pytest.raises(ValueError, match="min_overlap: expected one of"):
            KittiEvaluator(dataset, min_overlap={"car": 0.5})
        with pytest.raises(ValueError, match=r"min_overlap: expected numbers in \[0, 1\)"):
            KittiEvaluator(dataset, min_overlap={"Car": 1.5})

    def test_two_hundred_frames_in_under_a_second(self, tmp_path: Path) -> None:
        frames = tuple(f"{i:06d}" for i in range(200))
        dataset = KittiDataset(tiny_kitti(tmp_path, frames=frames), split="train")
        found = shaken(dataset, extra=198)
        evaluate = KittiEvaluator(dataset)
        evaluate(found)
        start = time.process_time()
        evaluate(found)
        assert time.process_time() - start < 1


class TestByConfiguration:
    def test_nuscenes(self, nuscenes_root: Path) -> None:
        config = load_config("synthetic_nuscenes")
        dataset = open_dataset(config, nuscenes_root, config.val_split)
        assert isinstance(dataset, NuScenesDataset)
        found = shaken(dataset)
        by_name = make_evaluator(config, nuscenes_root, config.val_split)
        by_data = make_evaluator(config, nuscenes_root, dataset, tokens=dataset.tokens[:2])
        assert by_name(found).num_samples == 6
        assert by_data(found).num_samples == 2
        assert 0 < by_name(found).mean_ap <= 1
        level = replace(config, frame="level")
        turned = make_evaluator(level, nuscenes_root, level.val_split)
        assert isinstance(turned, NuScenesEvaluator)
        assert turned.dataset.frame == "level"

    def test_kitti(self, kitti_folder: Path) -> None:
        config = load_config("kitti_3class")
        dataset = open_dataset(config, kitti_folder, "val")
        found = shaken(dataset)
        assert make_evaluator(config, kitti_folder, "val")(found) == make_evaluator(config, kitti_folder, dataset)(
            found
        )
        assert make_evaluator(config, kitti_folder, "val", tokens=dataset.tokens[:3])(found).num_frames == 3
        assert 0 < make_evaluator(config, kitti_folder, "val")(found).mean_ap <= 1

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataFormatError, match="dataroot: expected a folder"):
            make_evaluator(load_config("synthetic_nuscenes"), tmp_path / "nowhere", "mini_val")
