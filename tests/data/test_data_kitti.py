"""KITTI frames: what the files say, real frames counted box by box, and malformed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles.tiny_kitti import LABEL_TEXT, tiny_kitti

from bev3d._errors import DataFormatError
from bev3d.boxes import Box, corners_3d
from bev3d.data import KittiDataset
from bev3d.data.kitti import COMMON_IMAGE_SIZE, difficulty_of, read_calib, read_image_size, read_labels, read_velodyne
from bev3d.points import count_points_in_boxes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_kitti(tmp_path / "kitti")


def rewrite(root: Path, folder: str, text: str) -> Path:
    path = root / "training" / folder / "000000.txt"
    path.write_text(text)
    return path


class TestRealFrames:
    def test_every_box_of_the_70_frames_is_accounted_for(self, kitti_root: Path) -> None:
        dataset = KittiDataset(kitti_root, split="trainval")
        samples = [dataset.annotations(i) for i in range(len(dataset))]
        assert len(samples) == 70
        assert sum(len(sample.boxes) for sample in samples) == 464
        names = [name for sample in samples for name in sample.names]
        labels = np.concatenate([sample.labels for sample in samples])
        assert names.count("Car") == (labels == 0).sum() == 300
        assert names.count("Pedestrian") == (labels == 1).sum() == 65
        assert names.count("Cyclist") == (labels == 2).sum() == 30
        assert (labels == -1).sum() == 464 - 395

    def test_boxes_sit_on_their_points(self, kitti_root: Path) -> None:
        """In the camera frame, where labels are exact, 459 of 464 boxes hold a point and 453 hold five.

        In the velodyne frame boxes lose the camera's tilt, by which one more box comes to hold a point.
        """
        dataset = KittiDataset(kitti_root, split="trainval", fov_only=False)
        camera, velodyne = [], []
        for i in range(len(dataset)):
            sample = dataset[i]
            points = sample.points[:, :3].astype(np.float64)
            velodyne.append(count_points_in_boxes(points, np.ascontiguousarray(sample.boxes[:, :7])))
            lines = dataset.labels(i)
            lines = lines.select(~lines.is_dont_care)
            h, w, length = lines.dimensions_hwl.T
            x, y, z = lines.location.T
            # camera axes as x = right, y = forward, z = up
            upright = np.stack([x, z, h / 2 - y, length, w, h, -lines.rotation_y], axis=1)
            matrix = sample.meta["calib"].rect_from_velo
            rect = points @ matrix[:3, :3].T + matrix[:3, 3]
            turned = np.stack([rect[:, 0], rect[:, 2], -rect[:, 1]], axis=1)
            camera.append(count_points_in_boxes(turned, upright))
        for counts, at_least_1 in ((camera, 459), (velodyne, 460)):
            total = np.concatenate(counts)
            assert len(total) == 464
            assert (int((total >= 1).sum()), int((total >= 5).sum())) == (at_least_1, 453)

    def test_projected_boxes_cover_the_labelled_image_boxes(self, kitti_root: Path) -> None:
        """The label's own rectangle is drawn by hand; that of the projected corners comes within a few pixels."""
        dataset = KittiDataset(kitti_root, split="trainval")
        gaps = []
        for i in range(len(dataset)):
            sample = dataset.annotations(i)
            width, height = sample.meta["image_size"]
            whole = (sample.meta["truncation"] == 0) & (sample.meta["occlusion"] == 0)
            pixels, depth = sample.meta["calib"].image_from_velo(corners_3d(sample.boxes[whole, :7]).reshape(-1, 3))
            if not len(pixels):
                continue
            assert (depth > 0).all()
            pixels = np.clip(pixels.reshape(-1, 8, 2), 0, (width - 1, height - 1))
            drawn = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
            gaps.append(np.abs(drawn - sample.meta["bbox"][whole]).max(axis=1))
        assert np.median(np.concatenate(gaps)) < 5

    def test_the_picture_keeps_every_labelled_point(self, kitti_root: Path) -> None:
        dataset = KittiDataset(kitti_root, split="val")
        whole = KittiDataset(kitti_root, split="val", fov_only=False)
        sample, everything = dataset[0], whole[0]
        assert len(sample.points) < len(everything.points) / 3
        pixels, depth = sample.meta["calib"].image_from_velo(sample.points[:, :3].astype(np.float64))
        assert (depth > 0).all()
        assert (pixels >= 0).all()
        assert (pixels < sample.meta["image_size"]).all()

    def test_image_size_comes_from_the_picture_or_is_the_common_one(self, kitti_root: Path) -> None:
        assert read_image_size(kitti_root / "training" / "image_2" / "000000.png") == (1224, 370)
        dataset = KittiDataset(kitti_root, split="trainval")
        absent = [i for i in range(len(dataset)) if not dataset.path(i, "image_2", "png").is_file()]
        assert len(absent) == 64
        sample = dataset.annotations(absent[0])
        assert sample.meta["image_size"] == COMMON_IMAGE_SIZE
        assert sample.meta["image_path"] is None


class TestSample:
    def test_boxes_in_the_velodyne_frame(self, root: Path) -> None:
        """The car stands 26.7 m ahead of the camera, itself 0.27 m ahead of the velodyne, and 0.65 m to the left."""
        sample = KittiDataset(root)[0]
        car = sample.boxes[0]
        assert sample.names == ("Car", "Pedestrian", "Van")
        assert sample.labels.tolist() == [0, 1, -1]
        np.testing.assert_allclose(car[Box.SIZE], [3.64, 1.67, 1.65])
        np.testing.assert_allclose(car[Box.YAW], 1.59 - np.pi / 2)
        np.testing.assert_allclose(car[:2], [26.97, 0.65], atol=0.05)
        assert np.isnan(sample.boxes[:, Box.VELOCITY]).all()
        assert (sample.points[:, 4] == 0).all()
        assert sample.num_points.tolist() == [-1, -1, -1]
        assert sample.meta["dont_care"].tolist() == [[503.89, 169.71, 590.61, 190.13]]
        assert sample.meta["bbox"].shape == (3, 4)
        assert sample.meta["occlusion"].tolist() == [0, 1, 2]
        assert sample.meta["difficulty"].tolist() == [1, 1, 2]

    def test_classes_are_those_asked_for(self, root: Path) -> None:
        assert KittiDataset(root, class_names=("Van",)).annotations(0).labels.tolist() == [-1, -1, 0]
        with pytest.raises(ValueError, match=r"class_names: expected one of Car, Van, .* got 'car'"):
            KittiDataset(root, class_names=("car",))

    def test_points_are_cut_to_the_picture_of_its_size(self, tmp_path: Path) -> None:
        with_image = KittiDataset(tiny_kitti(tmp_path / "a", with_image=True))
        assert with_image.image_size(0) == (1224, 370)
        assert 0 < len(with_image[0].points) < 2000
        assert len(KittiDataset(with_image.dataroot, fov_only=False)[0].points) == 2000

    def test_the_test_split_has_no_labels(self, root: Path) -> None:
        (root / "training").rename(root / "testing")
        (root / "ImageSets" / "test.txt").write_text("000000\n")
        sample = KittiDataset(root, split="test")[0]
        assert sample.boxes.shape == (0, 9)
        assert len(sample.points)

    def test_empty_label_files_are_frames_without_objects(self, root: Path) -> None:
        rewrite(root, "label_2", "\n")
        sample = KittiDataset(root)[0]
        assert (sample.boxes.shape, sample.labels.shape, sample.meta["dont_care"].shape) == ((0, 9), (0,), (0, 4))


def test_rect_from_velo_is_rectification_after_extrinsics(root: Path) -> None:
    calib = read_calib(root / "training" / "calib" / "000000.txt")
    point = np.array([[20.0, 3.0, -1.0]])
    camera = calib.r0_rect @ (calib.tr_velo_to_cam[:, :3] @ point[0] + calib.tr_velo_to_cam[:, 3])
    np.testing.assert_allclose((calib.rect_from_velo @ [*point[0], 1])[:3], camera, atol=1e-12)
    u, v, w = calib.projections[2] @ [*camera, 1]
    pixels, depth = calib.image_from_velo(point)
    np.testing.assert_allclose(pixels[0], [u / w, v / w])
    np.testing.assert_allclose(depth, [w])


LINES = LABEL_TEXT.splitlines()


class TestBadInput:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("Car 0.00 0 -1.58 587.01 173.33", r"expected 15 or 16 columns \(type truncated .*\), got 6"),
            (LINES[0] + " 0.5 1", "expected 15 or 16 columns .* got 17"),
            (LINES[0].replace("Car", "Lorry"), "expected one of the classes Car, Van, .*DontCare, got 'Lorry'"),
            (LINES[0].replace("1.65", "nan"), r"expected finite numbers, got nan \(height\)"),
            (LINES[0].replace("26.70", "inf"), r"expected finite numbers, got inf \(z\)"),
            (LINES[0].replace("26.70", "far"), "expected numbers after the class, .*'far'"),
            (LINES[0].replace("1.67", "0.00"), "expected height, width, length > 0, got 1.65 0.00 3.64"),
            (LINES[0].replace("3.64", "-1"), "expected height, width, length > 0, got 1.65 1.67 -1"),
        ],
    )
    def test_label_lines(self, root: Path, line: str, message: str) -> None:
        path = rewrite(root, "label_2", f"{LINES[1]}\n\n{line}\n")
        with pytest.raises(DataFormatError, match=f"{path.name}:3: {message}"):
            KittiDataset(root).annotations(0)

    def test_result_lines_need_a_score(self, root: Path) -> None:
        path = rewrite(root, "label_2", LINES[0] + " 0.9\n")
        assert read_labels(path, need_scores=True).scores.tolist() == [0.9]
        rewrite(root, "label_2", LINES[0])
        with pytest.raises(DataFormatError, match=r"000000\.txt:1: expected 16 columns .* got 15"):
            read_labels(path, need_scores=True)

    @pytest.mark.parametrize(
        ("before", "after", "message"),
        [
            ("Tr_velo_to_cam", "Tr_lidar", "missing key Tr_velo_to_cam; expected P0"),
            ("R0_rect: 0.99995", "R0_rect:", "R0_rect: expected 9 finite numbers, got"),
            ("P2: 720", "P2: nan", "P2: expected 12 finite numbers, got"),
            ("P3: 720", "P3: f", "expected numbers after P3"),
        ],
    )
    def test_calibration(self, root: Path, before: str, after: str, message: str) -> None:
        path = root / "training" / "calib" / "000000.txt"
        path.write_text(path.read_text().replace(before, after))
        with pytest.raises(DataFormatError, match=rf"calib/000000\.txt.*{message}"):
            KittiDataset(root).annotations(0)

    def test_a_truncated_scan(self, root: Path) -> None:
        path = root / "training" / "velodyne" / "000000.bin"
        path.write_bytes(path.read_bytes()[:-6])
        with pytest.raises(DataFormatError, match=r"000000\.bin: expected a multiple of 16 bytes .* got 31994 bytes"):
            KittiDataset(root)[0]

    @pytest.mark.parametrize(("folder", "ending"), [("velodyne", "bin"), ("label_2", "txt"), ("calib", "txt")])
    def test_a_missing_file(self, root: Path, folder: str, ending: str) -> None:
        (root / "training" / folder / f"000007.{ending}").unlink()
        with pytest.raises(DataFormatError, match=rf"{folder}/000007\.{ending}: no such"):
            KittiDataset(root)[1]

    def test_lists_of_frames(self, root: Path) -> None:
        with pytest.raises(DataFormatError, match=r"val\.txt: no such list of frames; splits in .*: train"):
            KittiDataset(root, split="val")
        (root / "ImageSets" / "twice.txt").write_text("000000\n000007\n000000\n")
        with pytest.raises(DataFormatError, match="expected every frame once, got 000000 twice"):
            KittiDataset(root, split="twice")
        (root / "ImageSets" / "empty.txt").write_text("\n")
        with pytest.raises(DataFormatError, match="expected at least one frame id"):
            KittiDataset(root, split="empty")

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataFormatError, match="training: no such folder; expected velodyne"):
            KittiDataset(tmp_path)

    def test_a_picture_that_is_none(self, root: Path) -> None:
        path = root / "training" / "image_2" / "000000.png"
        path.write_bytes(b"\xff\xd8\xff\xe0")
        with pytest.raises(DataFormatError, match=r"000000\.png: expected a PNG"):
            KittiDataset(root)[0]

    def test_read_velodyne_gives_an_array_of_its_own(self, root: Path) -> None:
        points = read_velodyne(root / "training" / "velodyne" / "000000.bin")
        points[0] = 0
        assert points.shape == (2000, 4)


def test_difficulty_uses_height_occlusion_and_truncation(root: Path) -> None:
    def line(height: float, occlusion: int, truncation: float) -> str:
        return f"Car {truncation} {occlusion} 0 10 100 50 {100 + height} 1.5 1.6 4 0 1.7 20 0"

    cases = [
        (41, 0, 0.0),
        (40, 0, 0.0),
        (41, 1, 0.0),
        (41, 0, 0.2),
        (41, 2, 0.0),
        (26, 1, 0.4),
        (25, 0, 0.0),
        (90, 3, 0.0),
    ]
    path = rewrite(root, "label_2", "\n".join(line(*case) for case in cases))
    assert difficulty_of(read_labels(path)).tolist() == [0, 1, 1, 1, 2, 2, -1, -1]
