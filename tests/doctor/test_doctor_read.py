"""Array files of boxes and points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev3d import DataFormatError
from bev3d.doctor import frames_from_files

BOXES = np.arange(14, dtype=np.float32).reshape(2, 7)
POINTS = np.arange(20, dtype=np.float32).reshape(4, 5)


def test_archives_arrays_and_scans(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", boxes=BOXES, points=POINTS, names=np.array(["car", "bus"]))
    np.savez(tmp_path / "b.npz", gt_boxes=np.column_stack([BOXES, [1, 2]]))  # OpenPCDet: the class comes last
    np.save(tmp_path / "boxes.npy", BOXES.astype(np.float64))
    POINTS.tofile(tmp_path / "scan.pcd.bin")
    POINTS[:, :4].copy().tofile(tmp_path / "scan.bin")
    first, second = frames_from_files([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert (first.classes, second.classes, second.points) == (("car", "bus"), (), None)
    assert np.array_equal(first.boxes, BOXES)
    assert np.array_equal(second.boxes, BOXES)
    for name, columns in (("scan.pcd.bin", 5), ("scan.bin", 4)):
        (frame,) = frames_from_files(boxes=[tmp_path / "boxes.npy"], points=[tmp_path / name])
        assert frame.points is not None
        assert np.array_equal(frame.points, POINTS[:, :columns])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": BOXES}, "expected an array named boxes or gt_boxes"),
        ({"boxes": BOXES[:, :6]}, "expected boxes as numbers of shape"),
        ({"boxes": BOXES[0]}, "expected boxes as numbers of shape"),
        ({"boxes": BOXES.astype(str)}, "expected boxes as numbers of shape"),
        ({"boxes": BOXES, "points": POINTS[:, :2]}, "expected points as numbers of shape"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataFormatError, match=said) as error:
        frames_from_files([tmp_path / "a.npz"])
    assert str(tmp_path / "a.npz") in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no archive")
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "p.bin").write_bytes(b"12345")
    np.save(tmp_path / "b.npy", BOXES)
    for boxes, points, said in (
        ("a.npz", [], "expected an .npy or .npz file"),
        ("o.npy", [], "without Python objects"),
        ("nowhere.npy", [], "no such file"),
        ("b.npy", ["p.bin"], "expected a multiple of 16 bytes"),
        ("b.npy", ["nowhere.bin"], "no such file"),
        ("b.npy", ["b.npy", "b.npy"], r"points: expected as many files as boxes \(1\), got 2"),
    ):
        with pytest.raises(DataFormatError, match=said):
            frames_from_files(boxes=[tmp_path / boxes], points=[tmp_path / name for name in points])
