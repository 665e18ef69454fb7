"""Every planted defect is found and named, on synthetic and on real frames; sound frames have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.planted_defects import DEFECTS, camera_boxes, moved, turned_right

from bev3d.config import load_config
from bev3d.data import open_dataset
from bev3d.doctor import Diagnosis, Frame, diagnose

SETS = ("kitti_frames", "nuscenes_frames", "real_kitti_frames", "real_nuscenes_frames")


@pytest.fixture(params=SETS)
def frames(request: pytest.FixtureRequest) -> list[Frame]:
    return request.getfixturevalue(request.param)


def planted(frames: list[Frame], change: Callable[[np.ndarray], np.ndarray], *, names: bool = False) -> Diagnosis:
    return diagnose([replace(f, boxes=change(f.boxes), classes=f.classes if names else ()) for f in frames])


@pytest.mark.parametrize("names", [True, False])
def test_silent_on_sound_frames(frames: list[Frame], names: bool) -> None:
    diagnosis = planted(frames, lambda boxes: boxes, names=names)
    assert diagnosis.findings == ()
    assert diagnosis.convention.startswith("as given")
    assert diagnosis.confidence > 0.95


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_each_defect_is_found(frames: list[Frame], name: str, request: pytest.FixtureRequest) -> None:
    diagnosis = planted(frames, DEFECTS[name])
    assert [finding.name for finding in diagnosis.defects] == [name], diagnosis.lines()
    finding = diagnosis.defects[0]
    assert finding.evidence
    assert finding.advice
    assert finding.confidence > 0.7


def test_points_inside_are_the_evidence(kitti_frames: list[Frame]) -> None:
    diagnosis = planted(kitti_frames, DEFECTS["z_bottom"])
    right, given = diagnosis.readings[:2]
    assert right.text.startswith("mmdet3d >= 1.0")
    assert given.text.startswith("as given")
    assert right.points_inside is not None
    assert given.points_inside is not None
    assert right.points_inside > 1.5 * given.points_inside
    assert right.tightness is not None
    assert given.tightness is not None
    assert right.tightness > given.tightness + 0.2
    assert abs(right.bottom_m or 0.0) < 0.1
    assert given.bottom_m is not None
    assert given.bottom_m < -0.5


def test_two_defects_at_once(kitti_frames: list[Frame]) -> None:
    diagnosis = planted(kitti_frames, lambda boxes: DEFECTS["z_bottom"](DEFECTS["yaw_sign"](boxes)))
    assert {finding.name for finding in diagnosis.defects} == {"z_bottom", "yaw_sign"}


@pytest.mark.parametrize("columns", ["xyzlhw", "xyzhwl", "hwlxyz"])
def test_kitti_camera_boxes(real_kitti_frames: list[Frame], kitti_root: Path, columns: str) -> None:
    dataset = open_dataset(load_config("kitti_3class"), kitti_root, "trainval")
    calibs = {token: dataset.annotations(i).meta["calib"] for i, token in enumerate(dataset.tokens)}
    fed = [
        replace(frame, boxes=camera_boxes(frame.boxes, calibs[frame.name].rect_from_velo, columns), classes=())
        for frame in real_kitti_frames
    ]
    diagnosis = diagnose(fed)
    assert [finding.name for finding in diagnosis.defects] == ["kitti_camera"]


def test_a_turned_frame(frames: list[Frame]) -> None:
    assert [finding.name for finding in planted(frames, turned_right).defects] == ["other_frame"]


def test_boxes_that_hover(kitti_frames: list[Frame], real_kitti_frames: list[Frame]) -> None:
    for some in (kitti_frames, real_kitti_frames):
        (finding,) = planted(some, lambda boxes: moved(boxes, 0, 0, 1.73)).defects
        assert finding.name == "height_offset"
        assert "hover above the ground by 1.7" in finding.title


def test_boxes_elsewhere(frames: list[Frame]) -> None:
    (finding,) = planted(frames, lambda boxes: moved(boxes, 600, 1647, 0)).defects
    assert finding.name == "apart"
    assert "another frame" in finding.title


def test_a_half_turn_shows_in_the_motion(nuscenes_frames: list[Frame]) -> None:
    def turn(boxes: np.ndarray) -> np.ndarray:
        boxes = boxes.copy()
        boxes[:, 6] += np.pi
        return boxes

    assert [finding.name for finding in planted(nuscenes_frames, turn).defects] == ["yaw_half_turn"]


@pytest.mark.parametrize(
    "name", ["length_width_swapped", "yaw_sign", "yaw_quarter_turn", "degrees", "centerpoint_boxes"]
)
def test_real_boxes_without_points(real_data: Path, name: str) -> None:
    """81 key frames of real nuScenes boxes: motion, shapes and units alone."""
    dataset = open_dataset(load_config("synthetic_nuscenes"), real_data / "nuscenes_mini_val", "mini_val")
    frames = [Frame(dataset.annotations(i).boxes) for i in range(0, len(dataset), 4)]
    assert diagnose(frames).findings == ()
    assert [finding.name for finding in planted(frames, DEFECTS[name]).defects] == [name]


@pytest.mark.slow
def test_no_false_alarm_on_single_real_frames(kitti_root: Path) -> None:
    """One frame with a handful of boxes says little: the doctor then says nothing."""
    dataset = open_dataset(load_config("kitti_3class"), kitti_root, "trainval")
    for i in range(len(dataset)):
        sample = dataset[i]
        diagnosis = diagnose([Frame(sample.boxes, sample.points, sample.token)])
        assert diagnosis.defects == (), (sample.token, diagnosis.lines())


def test_a_tenth_of_the_boxes_broken(kitti_frames: list[Frame]) -> None:
    """NaN and infinities are reported by frame and box, and change nothing about the rest."""

    def break_some(boxes: np.ndarray) -> np.ndarray:
        boxes = DEFECTS["yaw_sign"](boxes)
        boxes[::10, 3] = np.nan
        boxes[1::20, 0] = np.inf
        return boxes

    diagnosis = planted(kitti_frames, break_some)
    assert [finding.name for finding in diagnosis.defects] == ["non_finite", "yaw_sign"]
    assert f"{kitti_frames[0].name}: box 0" in diagnosis.defects[0].evidence[0]


def test_points_with_nan_and_boxes_of_size_0(kitti_frames: list[Frame]) -> None:
    changed = []
    for frame in kitti_frames:
        assert frame.points is not None
        points = frame.points.copy()
        points[::7] = np.nan
        boxes = np.concatenate([frame.boxes, np.zeros((2, 9)), -np.ones((1, 9))])
        changed.append(Frame(boxes, points))
    assert diagnose(changed).convention.startswith("as given")


def test_little_to_look_at() -> None:
    nothing = diagnose([Frame(np.zeros((0, 7)), np.zeros((0, 3)))])
    assert [finding.name for finding in nothing.findings] == ["no_boxes"]
    one = diagnose([Frame(np.array([[0.0, 0, 0, 4, 2, 1.5, 0]]))])
    assert one.defects == ()
    broken = diagnose([Frame(np.full((3, 9), np.nan), np.zeros((5, 4)))])
    assert [finding.name for finding in broken.findings] == ["non_finite", "no_boxes"]


def test_wrong_shapes_are_refused() -> None:
    for boxes in (np.zeros((2, 8)), np.zeros(7)):
        with pytest.raises(ValueError, match="frames: expected boxes of shape"):
            diagnose([Frame(boxes)])
    with pytest.raises(ValueError, match="frames: expected boxes"):
        diagnose([Frame(np.zeros((2, 7))), Frame(np.zeros((2, 9)))])
    with pytest.raises(ValueError, match="frames: expected boxes"):
        diagnose([])
