"""Arguments of the evaluation in Python that cannot be meant: the error names the argument and what came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.found_boxes import perfect
from oracles.kitti_lines import Frame, Line, write_folder
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesDataset
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nuscenes(tmp_path_factory.mktemp("data") / "n", samples=2, sweeps=1)


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"predictions": None}, TypeError, "predictions: expected a file, .* got NoneType"),
        ({"predictions": []}, TypeError, "predictions: expected a file, .* got list"),
        ({"samples": "abc"}, TypeError, "samples: expected a sequence of tokens, got the text 'abc'"),
        ({"samples": []}, DataFormatError, "samples: expected tokens out of .* got none"),
        ({"split": []}, DataFormatError, "split: expected at least one scene, got none"),
        ({"split": ["scene-7"]}, DataFormatError, "expected the scenes scene-7, found"),
        ({"range_bands_m": [0, 15]}, ValueError, "range_bands_m: expected pairs of distances .* got 0"),
        ({"range_bands_m": [(5,)]}, ValueError, r"range_bands_m: expected pairs of distances .* got \(5,\)"),
    ],
)
def test_nuscenes(root: Path, changes: dict[str, Any], kind: type[Exception], said: str) -> None:
    arguments: dict[str, Any] = {"split": "mini_val", "predictions": {}} | changes
    with pytest.raises(kind, match=said):
        evaluate_nuscenes(root, VERSION, **arguments)


def test_boxes_of_another_shape(root: Path) -> None:
    found = perfect(NuScenesDataset(root, split="mini_val"))
    token, one = next(iter(found.items()))
    short = found | {token: replace(one, boxes=one.boxes[:, :5])}
    with pytest.raises(ValueError, match=rf"{token}'\]: expected boxes of shape \(N, 7\) or \(N, 9\), got \(\d+, 5\)"):
        evaluate_nuscenes(root, VERSION, "mini_val", short)
    still = {t: replace(one, boxes=np.ascontiguousarray(one.boxes[:, :7])) for t, one in found.items()}
    assert evaluate_nuscenes(root, VERSION, "mini_val", still).present_class_mean_ap == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"frames": "000000"}, TypeError, "frames: expected a sequence of tokens, got the text '000000'"),
        ({"frames": []}, DataFormatError, "frames: expected at least one, got none"),
        ({"frames": ["000000", "000000"]}, DataFormatError, "frames: expected each frame once, got 000000 twice"),
        ({"frames": ["000007"]}, DataFormatError, "000007.txt: no such label file"),
        ({"min_overlap": {}}, ValueError, "min_overlap: expected at least one class, got none"),
    ],
)
def test_kitti(tmp_path: Path, options: dict[str, Any], kind: type[Exception], said: str) -> None:
    line = Line("Car", x=0.0, z=20.0)
    folders = write_folder(tmp_path, [Frame([line], [replace(line, score=0.5)])])
    with pytest.raises(kind, match=said):
        evaluate_kitti(*folders, **options)
