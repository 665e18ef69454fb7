"""The synthetic KITTI folder, read back through its own files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bev3d._errors import ConfigError, UserError
from bev3d.boxes import corners_3d
from bev3d.boxes.convert import from_kitti_camera, to_kitti_camera
from bev3d.data.kitti import KittiCalib, read_calib
from bev3d.synth import write_kitti
from bev3d.synth._kitti_frame import CALIBRATION

FRAMES = {"train_frames": 5, "val_frames": 3}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames."""
    return write_kitti(tmp_path_factory.mktemp("synth") / "kitti", seed=2, **FRAMES)


@pytest.fixture(scope="module")
def calib(root: Path) -> KittiCalib:
    """Calibration as read from the file."""
    return read_calib(root / "training/calib/000000.txt")


def labels(path: Path) -> list[tuple[str, np.ndarray]]:
    """Type and 14 numbers of every line."""
    rows = [line.split() for line in path.read_text().splitlines()]
    assert all(len(row) == 15 for row in rows)
    return [(row[0], np.array(row[1:], dtype=np.float64)) for row in rows]


def scan_of(root: Path, number: int) -> np.ndarray:
    """(P, 4) points of a frame."""
    return np.fromfile(root / f"training/velodyne/{number:06d}.bin", np.float32).reshape(-1, 4)


def digests(root: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_layout(root: Path) -> None:
    sets = {name: (root / f"ImageSets/{name}.txt").read_text().split() for name in ("train", "val", "trainval")}
    assert [len(sets[name]) for name in ("train", "val", "trainval")] == [5, 3, 8]
    assert sets["train"] + sets["val"] == sets["trainval"]
    for folder, ending in (("velodyne", "bin"), ("label_2", "txt"), ("calib", "txt"), ("image_2", "png")):
        names = sorted(path.name for path in (root / "training" / folder).iterdir())
        assert names == [f"{frame}.{ending}" for frame in sets["trainval"]]


def test_calibration_comes_back_from_the_file(calib: KittiCalib) -> None:
    np.testing.assert_allclose(calib.rect_from_velo, CALIBRATION.rect_from_velo, atol=1e-12)
    np.testing.assert_allclose(calib.projections, CALIBRATION.projections, atol=1e-9)
    axes = calib.rect_from_velo[:3, :3]
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes, [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=0.01)


def test_labels_hold_points_and_go_there_and_back(root: Path, calib: KittiCalib) -> None:
    counts = []
    for number in range(8):
        points = scan_of(root, number)
        assert 20_000 < len(points) < 44_416
        assert points[:, 3].min() >= 0.0
        assert points[:, 3].max() <= 1.0
        rows = [row for name, row in labels(root / f"training/label_2/{number:06d}.txt") if name != "DontCare"]
        values = np.array(rows)
        boxes = from_kitti_camera(values[:, 7:10], values[:, 10:13], values[:, 13], calib)
        sizes, places, turns = to_kitti_camera(boxes, calib)
        np.testing.assert_allclose(sizes, values[:, 7:10], atol=1e-9)
        np.testing.assert_allclose(places, values[:, 10:13], atol=1e-9)
        np.testing.assert_allclose(np.sin(turns - values[:, 13]), 0.0, atol=1e-9)
        alpha = values[:, 13] - np.arctan2(values[:, 10], values[:, 12])
        np.testing.assert_allclose(np.sin(alpha - values[:, 2]), 0.0, atol=0.011)
        for box in boxes:
            offset = points[:, :3] - box[:3]
            c, s = np.cos(box[6]), np.sin(box[6])
            along, across = c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0]
            half = 0.5 * box[3:6] + 0.03  # labels have two decimals
            within = (np.abs(along) <= half[0]) & (np.abs(across) <= half[1]) & (np.abs(offset[:, 2]) <= half[2])
            counts.append(int(within.sum()))
    assert len(counts) > 60
    assert np.mean(np.array(counts) >= 1) > 0.97


def test_rectangles_enclose_what_is_in_the_picture(root: Path, calib: KittiCalib) -> None:
    for number in range(8):
        for name, row in labels(root / f"training/label_2/{number:06d}.txt"):
            left, top, right, bottom = row[3:7]
            assert 0 <= left < right <= 1241
            assert 0 <= top < bottom <= 374
            if name == "DontCare":
                np.testing.assert_array_equal(row[[0, 1, 2]], [-1, -1, -10])
                np.testing.assert_array_equal(row[7:], [-1, -1, -1, -1000, -1000, -1000, -10])
                continue
            assert 0.0 <= row[0] <= 1.0
            assert row[1] in (0, 1, 2, 3)
            if row[0] > 0.0 or row[12] < 4.0:
                continue
            box = from_kitti_camera(row[None, 7:10], row[None, 10:13], row[None, 13], calib)
            pixels, _ = calib.image_from_velo(corners_3d(box)[0])
            found = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
            np.testing.assert_allclose(found, row[3:7], atol=2.0)


def test_types_and_picture(root: Path) -> None:
    names = {name for number in range(8) for name, _ in labels(root / f"training/label_2/{number:06d}.txt")}
    assert {"Car", "Pedestrian", "Cyclist"} <= names
    assert names <= {"Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare"}
    image = pytest.importorskip("matplotlib.image").imread(root / "training/image_2/000000.png")
    assert image.shape == (375, 1242, 3)
    assert image.std() > 0.05


def test_same_seed_gives_the_same_bytes_for_any_number_of_workers(root: Path, tmp_path: Path) -> None:
    one = digests(root)
    assert one == digests(write_kitti(tmp_path / "again", seed=2, workers=1, **FRAMES))
    other = digests(write_kitti(tmp_path / "other", train_frames=1, val_frames=0, seed=3))
    name = "training/velodyne/000000.bin"
    assert one[name] != other[name]


def test_interrupted_run_goes_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bev3d.synth import _kitti

    real, done = _kitti.write_frame, []

    def failing(folder: Path, number: int, seed: int) -> None:
        if number == 6:
            raise OSError("disk full")
        done.append(number)
        real(folder, number, seed)

    monkeypatch.setattr(_kitti, "write_frame", failing)
    with pytest.raises(OSError, match="disk full"):
        write_kitti(tmp_path / "part", seed=2, workers=1, **FRAMES)
    assert not (tmp_path / "part" / "ImageSets").exists()
    monkeypatch.setattr(_kitti, "write_frame", real)
    write_kitti(tmp_path / "part", seed=2, workers=1, **FRAMES)
    assert digests(tmp_path / "part") == digests(root)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_frames": 0, "val_frames": 0}, r"train_frames \+ val_frames: expected at least 1 frame"),
        ({"val_frames": -2}, r"val_frames: expected an integer >= 0, got -2"),
        ({"seed": -1}, r"seed: expected an integer >= 0, got -1"),
        ({"workers": 0}, r"workers: expected an integer >= 1, got 0"),
    ],
)
def test_impossible_numbers_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_kitti(tmp_path / "out", **{"train_frames": 1, "val_frames": 1, **changed})
    assert not (tmp_path / "out").exists()


def test_foreign_folders_are_refused(tmp_path: Path, root: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="expected a new or empty folder"):
        write_kitti(tmp_path, train_frames=1, val_frames=1)
    with pytest.raises(UserError, match=r"seed 2 there, 9 asked"):
        write_kitti(root, seed=9, **FRAMES)
