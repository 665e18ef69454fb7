"""KITTI result files: there and back, the columns, and boxes outside the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles.labels_as_found import from_truth
from oracles.tiny_kitti import tiny_kitti

from bev3d._errors import DataFormatError
from bev3d.boxes import Box, wrap_angle
from bev3d.data import Detections, KittiDataset
from bev3d.data.kitti import read_labels
from bev3d.evaluation import read_submission, write_submission


@pytest.fixture
def kitti(tmp_path: Path) -> KittiDataset:
    return KittiDataset(tiny_kitti(tmp_path / "k"))


class TestKitti:
    def test_there_and_back(self, kitti: KittiDataset, tmp_path: Path) -> None:
        written = from_truth(kitti)
        write_submission(tmp_path / "out", written, dataset=kitti)
        read = read_submission(tmp_path / "out", dataset=kitti)
        for token, found in written.items():
            np.testing.assert_allclose(read[token].boxes[:, :7], found.boxes[:, :7], atol=1e-5)
            assert np.isnan(read[token].boxes[:, Box.VELOCITY]).all()
            np.testing.assert_allclose(read[token].scores, found.scores, atol=1e-6)
            np.testing.assert_array_equal(read[token].labels, found.labels)

    def test_the_columns_are_the_labels_own(self, kitti: KittiDataset, tmp_path: Path) -> None:
        write_submission(tmp_path / "out", from_truth(kitti), dataset=kitti)
        lines = read_labels(tmp_path / "out" / "000000.txt", need_scores=True)
        truth = kitti.labels(0).select(np.array([True, True, False, False]))
        assert lines.names == truth.names
        np.testing.assert_allclose(lines.location, truth.location, atol=1e-5)
        np.testing.assert_allclose(lines.dimensions_hwl, truth.dimensions_hwl, atol=1e-5)
        np.testing.assert_allclose(lines.rotation_y, truth.rotation_y, atol=1e-5)
        alpha = wrap_angle(truth.rotation_y - np.arctan2(truth.location[:, 0], truth.location[:, 2]))
        np.testing.assert_allclose(lines.alpha, alpha, atol=1e-5)
        assert (lines.truncation == -1).all()
        assert (lines.occlusion == -1).all()

    def test_image_boxes_of_real_labels(self, kitti_root: Path, tmp_path: Path) -> None:
        """The rectangles that are written come within a few pixels of those drawn by hand."""
        dataset = KittiDataset(kitti_root, split="val")
        write_submission(tmp_path / "out", from_truth(dataset), dataset=dataset)
        gaps = []
        for i, token in enumerate(dataset.tokens):
            sample = dataset.annotations(i)
            drawn = sample.meta["bbox"][sample.labels >= 0]
            whole = (sample.meta["truncation"] == 0)[sample.labels >= 0]
            lines = read_labels(tmp_path / "out" / f"{token}.txt")
            assert len(lines) == len(drawn)
            gaps.append(np.abs(lines.bbox - drawn)[whole].max(axis=1))
        assert np.median(np.concatenate(gaps)) < 5

    def test_boxes_behind_and_beside_the_picture_are_left_out(self, kitti: KittiDataset, tmp_path: Path) -> None:
        boxes = np.full((5, 9), np.nan)
        sizes = [4.0, 1.8, 1.6, 0.0]
        # ahead; behind; far to the side; beside the camera, reaching behind it; a pole through the camera
        for row, centre in enumerate(((20, 0, -1), (-20, 0, -1), (5, 40, -1), (1, 1.5, -1))):
            boxes[row, :7] = (*centre, *sizes)
        boxes[4, :7] = (1, 0, -0.1, 4.0, 0.4, 0.2, 0.0)
        labels = np.zeros(5, dtype=np.int64)
        found = {
            "000000": Detections("000000", boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), labels, kitti.class_names),
            "000007": Detections("000007", boxes[:0], np.zeros(0), labels[:0], kitti.class_names),
        }
        write_submission(tmp_path / "out", found, dataset=kitti)
        lines = read_labels(tmp_path / "out" / "000000.txt", need_scores=True)
        assert lines.scores.tolist() == [0.9, 0.6, 0.5]
        width, height = kitti.image_size(0)
        assert (lines.bbox >= 0).all()
        assert (lines.bbox[:, 2] <= width - 1).all()
        assert (lines.bbox[:, 3] <= height - 1).all()
        # the one that reaches behind the camera fills the left edge, not the right
        assert lines.bbox[1, 0] == 0
        assert lines.bbox[1, 2] < width / 2
        # the far end of the pole is narrow, but it fills the picture where it passes the camera
        assert (lines.bbox[2, 0], lines.bbox[2, 2]) == (0, width - 1)
        assert (tmp_path / "out" / "000007.txt").read_text() == ""

    def test_missing_file_and_unknown_class(self, kitti: KittiDataset, tmp_path: Path) -> None:
        write_submission(tmp_path / "out", from_truth(kitti), dataset=kitti)
        cars = KittiDataset(kitti.dataroot, class_names=("Car",))
        with pytest.raises(DataFormatError, match=r"000000\.txt: expected classes out of Car, got 'Pedestrian'"):
            read_submission(tmp_path / "out", dataset=cars)
        (tmp_path / "out" / "000007.txt").unlink()
        with pytest.raises(DataFormatError, match=r"000007\.txt: no such result file"):
            read_submission(tmp_path / "out", dataset=kitti)
