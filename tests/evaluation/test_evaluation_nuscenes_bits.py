"""The nuScenes metric against the unmodified devkit on the same machine: every bit of every curve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.random_nuscenes import devkit_curves, random_nuscenes, random_submission
from oracles.tiny_nuscenes import VERSION

from bev3d.data import DETECTION_CLASSES, NuScenesTables
from bev3d.data.nuscenes import sample_tokens
from bev3d.evaluation import NuScenesResult, evaluate_nuscenes

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


@pytest.fixture(scope="module", autouse=True)
def _devkit() -> None:
    pytest.importorskip("nuscenes", reason="nuscenes-devkit is not installed")


def bits(values: Any) -> list[int]:
    array: list[int] = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64).tolist()
    return array


def assert_same_bits(ours: NuScenesResult, metrics: Any, arrays: dict[str, dict[str, Any]]) -> None:
    """320 arrays and every number that comes of them."""
    assert len(ours.curves) == len(arrays) == 40
    for (name, distance), curves in ours.curves.items():
        for key, values in curves.to_dict().items():
            assert bits(values) == bits(arrays[f"{name}:{distance}"][key]), f"{name} at {distance} m: {key}"
    theirs = metrics.serialize()
    for name, one in ours.per_class.items():
        assert bits(list(one.ap_by_distance.values())) == bits(list(theirs["label_aps"][name].values())), name
        assert bits(one.ap) == bits(theirs["mean_dist_aps"][name]), name
        for error, value in one.tp_errors.items():
            assert bits(value) == bits(theirs["label_tp_errors"][name][error]), f"{name}: {error}"
    assert bits(list(ours.tp_errors.values())) == bits(list(theirs["tp_errors"].values()))
    assert bits([ours.mean_ap, ours.nds]) == bits([theirs["mean_ap"], theirs["nd_score"]])


def compare(root: Path, split: str, submission: dict[str, Any], folder: Path) -> NuScenesResult:
    path = folder / "submission.json"
    path.write_text(json.dumps(submission))
    ours = evaluate_nuscenes(root, VERSION, split, path)
    assert_same_bits(ours, *devkit_curves(root, split, path, folder / "out"))
    return ours


def tokens_of(root: Path, split: str) -> list[str]:
    return list(sample_tokens(NuScenesTables(root, VERSION), split))


@pytest.mark.parametrize("seed", range(6))
def test_random_data(tmp_path: Path, seed: int) -> None:
    root = random_nuscenes(tmp_path / "data", seed=seed)
    split = ("mini_val", "everything")[seed % 2]
    ours = compare(root, split, random_submission(root, tokens_of(root, split), seed=seed), tmp_path)
    assert ours.present_classes == DETECTION_CLASSES
    # Numbers that could not tell two metrics apart would prove nothing.
    assert 0.05 < ours.mean_ap < 0.95
    assert all(error > 0 for error in ours.tp_errors.values())


def test_a_crowd_of_one_class(tmp_path: Path) -> None:
    root = random_nuscenes(tmp_path / "data", seed=10, samples=3, boxes=150)
    submission = random_submission(root, tokens_of(root, "mini_val"), seed=3, boxes=450, only=("car", "bicycle"))
    ours = compare(root, "mini_val", submission, tmp_path)
    assert ours.per_class["car"].num_predictions > 50
    assert ours.per_class["bus"].num_predictions == 0


def test_a_class_without_ground_truth(tmp_path: Path) -> None:
    root = random_nuscenes(tmp_path / "data", seed=11, leave_out="pedestrian")
    ours = compare(root, "mini_val", random_submission(root, tokens_of(root, "mini_val"), seed=1), tmp_path)
    assert "pedestrian" not in ours.present_classes
    assert ours.per_class["pedestrian"].num_predictions > 0
    assert ours.present_class_mean_ap > ours.mean_ap


def test_point_counts_of_predictions(tmp_path: Path) -> None:
    """The devkit reads ``num_pts`` of a prediction where it is there, and drops the box at 0."""
    root = random_nuscenes(tmp_path / "data", seed=12)
    submission = random_submission(root, tokens_of(root, "mini_val"), seed=2)
    before = compare(root, "mini_val", submission, tmp_path)
    for boxes in submission["results"].values():
        for k, box in enumerate(boxes):
            box |= {"num_pts": k % 3, "ego_translation": [1, 2, 3]}
    after = compare(root, "mini_val", submission, tmp_path)
    assert sum(one.num_predictions for one in after.per_class.values()) < 0.8 * sum(
        one.num_predictions for one in before.per_class.values()
    )


@pytest.mark.parametrize("name", ["synthetic_a", "synthetic_b_ties"])
def test_real_mini_val(real_data: Path, tmp_path: Path, name: str) -> None:
    root = real_data / "nuscenes_mini_val"
    path = root / "submissions" / f"{name}.json"
    assert_same_bits(
        evaluate_nuscenes(root, VERSION, "mini_val", path), *devkit_curves(root, "mini_val", path, tmp_path / "out")
    )


def _kernels() -> list[str]:
    """OpenBLAS kernels that this processor runs; their sums of products differ in the last bit."""
    found = np.core._multiarray_umath.__cpu_features__ if np.__version__ < "2" else {}
    return [name for name, need in (("Haswell", "AVX2"), ("SkylakeX", "AVX512_SKX"), ("Nehalem", "SSE42")) if
            found.get(need)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kernel", _kernels())
def test_any_kernel_of_blas(tmp_path: Path, kernel: str) -> None:
    test = f"{__file__}::test_random_data"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{test}[0]", f"{test}[1]"]
    done = subprocess.run(
        command, env=os.environ | {"OPENBLAS_CORETYPE": kernel}, capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
