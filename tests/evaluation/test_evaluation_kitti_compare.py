"""KITTI: bootstrap of repeated frames, and two sets of detections compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.kitti_lines import Frame, Line, random_frames, write_folder

from bev3d.evaluation import compare_kitti, evaluate_kitti
from bev3d.evaluation.kitti import (
    MIN_OVERLAP,
    read_frames,
)
from bev3d.evaluation.kitti._compare import resampled_r40


class TestBootstrap:
    def repeated(self, tmp_path: Path, frames: list[Frame], times: list[int]) -> tuple[Path, Path]:
        return write_folder(tmp_path, [f for f, count in zip(frames, times, strict=True) for _ in range(count)])

    def test_resampled_numbers_are_the_metric_on_repeated_frames(self, tmp_path: Path) -> None:
        frames = random_frames(np.random.default_rng(8), 50)
        content = read_frames(*write_folder(tmp_path / "all", frames), None)
        weights = np.random.default_rng(2).multinomial(50, np.full(50, 1 / 50), size=5).astype(np.int64)
        weights[0] = 1
        (numbers,) = resampled_r40(content, MIN_OVERLAP, [weights], False)
        for r, times in enumerate(weights.tolist()):
            official = evaluate_kitti(*self.repeated(tmp_path / str(r), frames, times))
            for name in MIN_OVERLAP:
                for metric in ("bev", "3d"):
                    for level in ("easy", "moderate", "hard"):
                        expected = official.r40(name, metric, level) / 100
                        ours = numbers[f"{name} {metric} {level}"][r]
                        assert ours == pytest.approx(expected, abs=1e-12, nan_ok=True), (r, name, metric, level)
            assert numbers["mean 3d moderate"][r] == pytest.approx(official.mean_ap, abs=1e-12)
        assert len(set(numbers["mean 3d moderate"].tolist())) == 5

    def test_comparison(self, tmp_path: Path) -> None:
        frames = random_frames(np.random.default_rng(8), 60)
        labels, first = write_folder(tmp_path / "first", frames)
        better = [Frame(f.truth, [replace(line, score=0.9) for line in f.truth if line.name != "Van"]) for f in frames]
        _, second = write_folder(tmp_path / "second", better)
        comparison = compare_kitti(labels, first, second, resamples=200)
        one = comparison.means["mean 3d moderate"]
        assert one.is_clear
        assert one.difference > 0
        assert one.second == pytest.approx(evaluate_kitti(labels, second).mean_ap, abs=1e-12)
        assert comparison.ap["Car 3d moderate"].first == pytest.approx(
            evaluate_kitti(labels, first).r40("Car", "3d", "moderate") / 100
        )
        assert comparison.unit == "samples"
        same = compare_kitti(labels, first, first, resamples=20)
        assert same.means["mean bev easy"].difference_range == (0, 0)

    def test_a_class_without_objects_has_no_number(self, tmp_path: Path) -> None:
        truth = [Line("Car", x=0.0, z=20.0)]
        folders = write_folder(tmp_path, [Frame(truth, [replace(truth[0], score=0.5)])] * 3)
        comparison = compare_kitti(*folders, folders[1], resamples=5)
        assert not any(name.startswith("Cyclist") for name in comparison.ap)
