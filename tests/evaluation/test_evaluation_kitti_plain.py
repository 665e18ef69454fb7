"""The KITTI metric against the protocol in plain Python on random frames, and its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles.plain_kitti import plain_overlaps, plain_precision, random_frames

from bev3d._errors import DataFormatError
from bev3d.evaluation import evaluate_kitti
from bev3d.evaluation.kitti._evaluate import MIN_OVERLAP


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_equal_to_the_protocol_in_plain_python(tmp_path: Path, seed: int, exact: bool) -> None:
    content = random_frames(tmp_path / "labels", tmp_path / "found", seed=seed)
    result = evaluate_kitti(tmp_path / "labels", tmp_path / "found", exact_height_counts=exact)
    seen = []
    for metric in ("image", "bev", "3d"):
        overlaps = plain_overlaps(content, metric)
        for name, least in MIN_OVERLAP.items():
            for level, named in enumerate(("easy", "moderate", "hard")):
                precision, similarity, total = plain_precision(content, overlaps, name, metric, level, least, exact)
                curve = result.curves[name][metric][named]
                assert curve.num_ground_truth == total
                np.testing.assert_allclose(curve.precision, precision, rtol=0, atol=1e-12)
                seen += precision
                if metric == "image":
                    aos = result.curves[name]["aos"][named].precision
                    np.testing.assert_allclose(aos, similarity, rtol=0, atol=1e-12)
    assert 0.1 < np.mean(seen) < 0.9
    assert len(set(seen)) > 25


def test_the_height_test_decides(tmp_path: Path) -> None:
    random_frames(tmp_path / "labels", tmp_path / "found", seed=0)
    one, other = (evaluate_kitti(tmp_path / "labels", tmp_path / "found", exact_height_counts=e) for e in (False, True))
    assert one.curves["Car"]["3d"]["hard"].num_ground_truth < other.curves["Car"]["3d"]["hard"].num_ground_truth


LINE = "Car 0 0 0.1 100 100 180 160 1.5 1.6 4.0 2 1.7 20 0.3"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("labels", "found"):
        (tmp_path / name).mkdir()
    return tmp_path / "labels", tmp_path / "found"


def test_empty_label_files_count_nothing(folders: tuple[Path, Path]) -> None:
    """An average precision over no object is not a number, never 0; the detections are wrong where there are others."""
    labels, found = folders
    (labels / "000000.txt").write_text("")
    (found / "000000.txt").write_text(LINE + " 0.9\n")
    assert np.isnan(evaluate_kitti(labels, found).r40("Car", "3d", "easy"))
    (labels / "000001.txt").write_text(LINE + "\n")
    (found / "000001.txt").write_text(LINE + " 0.9\n")
    assert evaluate_kitti(labels, found).r11("Car", "3d", "easy") == pytest.approx(50 / 11)
    assert evaluate_kitti(labels, found, ["000001"]).r11("Car", "3d", "easy") == pytest.approx(100 / 11)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE, r"expected 16 columns .* got 15"),
        (LINE + " nan", r"expected finite numbers, got nan \(\[score\]\)"),
        (LINE.replace("20", "inf") + " 0.5", r"expected finite numbers, got inf \(z\)"),
        (LINE + " high", "expected numbers after the class, .*'high'"),
        (LINE.replace("Car", "Lorry") + " 0.5", "expected one of the classes Car, .* got 'Lorry'"),
        (LINE.replace("1.6", "0") + " 0.5", "expected height, width, length > 0, got 1.5 0 4.0"),
        ("Car 0.5", "expected 16 columns .* got 2"),
    ],
)
def test_lines_that_cannot_be(folders: tuple[Path, Path], line: str, message: str) -> None:
    labels, found = folders
    (labels / "000000.txt").write_text(LINE + "\n")
    (found / "000000.txt").write_text(f"{LINE} 0.9\n{line}\n")
    with pytest.raises(DataFormatError, match=rf"found/000000\.txt:2: {message}"):
        evaluate_kitti(labels, found)
