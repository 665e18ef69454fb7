"""The audit of a split: counts by hand, limits, damaged frames, executors, page, and the real data."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.real_nuscenes import keyframe_dataset

from bev3d import ConfigError, DataFormatError
from bev3d.audit import AuditReport, Limits, _frame, _run, audit_dataset, write_audit_page
from bev3d.audit._frames import choose_frames
from bev3d.config import Config, load_config
from bev3d.data import Sample
from bev3d.synth import write_kitti

CLASSES = ("Car", "Pedestrian", "Cyclist")
CAR = [10.0, 0.0, -1.0, 3.9, 1.6, 1.5, 0.0]


class _Frames:
    """Five frames: sound, a duplicate, a collision, a car beyond the range, and one that cannot be read."""

    class_names = CLASSES
    tokens = ("sound", "duplicate", "collision", "outside", "broken")

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Sample:
        sample = self.annotations(index)
        scan = np.array([[10.0, 0.0, -1.0, 0.5, 0.0]], np.float32)
        return replace(sample, points=np.repeat(scan, 3, axis=0))

    def annotations(self, index: int) -> Sample:
        far = [90.0, *CAR[1:]]
        person = [10.1, 0.1, -0.9, 0.8, 0.6, 1.7, 0.0]
        rows = {
            "sound": [CAR],
            "duplicate": [CAR, [10.01, *CAR[1:]]],
            "collision": [CAR, person],
            "outside": [CAR, far, [10.0, 0.0, 4.0, *CAR[3:]]],
        }
        token = self.tokens[index]
        if token == "broken":
            raise DataFormatError("label_2/broken.txt:3: expected finite numbers, got nan (x)\nsecond line")
        boxes = np.full((len(rows[token]), 9), np.nan)
        boxes[:, :7] = rows[token]
        labels = np.array([0 if row[3] == 3.9 else 1 for row in rows[token]])
        names = tuple(CLASSES[label] for label in labels)
        points = np.full(len(boxes), -1, np.int64)
        return Sample(token, np.zeros((0, 5), np.float32), boxes, labels, names, points, CLASSES)


@pytest.fixture
def config() -> Config:
    return load_config("kitti_3class")


@pytest.fixture
def report(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AuditReport:
    for module in (_run, _frame):
        monkeypatch.setattr(module, "open_dataset", lambda config, dataroot, split: _Frames())
    return audit_dataset(config, tmp_path, split="any")


def test_counts_of_frames_made_by_hand(report: AuditReport) -> None:
    counts = report.boxes.counts()
    car, total = counts["Car"], counts["total"]
    assert (car["boxes"], counts["Pedestrian"]["boxes"], total["boxes"]) == (7, 1, 8)
    assert (total["out_of_range"], total["out_of_range_z"]) == (2, 1)
    assert total["collided"] == 2  # the duplicate, and the person on the car
    assert total["duplicate"] == 1
    assert total["without_points"] == 2  # beyond the range and above the scan
    assert report.boxes.num_points.tolist() == [3, 3, 3, 3, 3, 3, 0, 0]
    assert list(report.unreadable) == ["broken"]
    assert report.unreadable["broken"].endswith("got nan (x)")


def test_findings_name_frame_box_and_class(report: AuditReport) -> None:
    (finding,) = report.findings("duplicate")
    assert (finding.frame, finding.box, finding.class_name) == ("duplicate", 1, "Car")
    assert [(one.frame, one.box) for one in report.findings("out_of_range")] == [("outside", 1), ("outside", 2)]
    assert "90.00, 0.00, -1.00 m" in report.findings("out_of_range")[0].detail
    worst = report.findings("decode_error", 3)
    assert len(worst) == 3
    assert float(worst[0].detail) >= float(worst[2].detail)


def test_limits_turn_it_into_a_check(report: AuditReport) -> None:
    assert report.exceeded(Limits(max_unreadable=None)) == []
    (said,) = report.exceeded(Limits())
    assert said.startswith("unreadable: expected at most 0 frames, got 1: label_2/broken.txt:3")
    limits = Limits(max_collided=0.1, max_out_of_range=0.5, max_decode_error=1e-12, max_unreadable=1)
    collided, error = report.exceeded(limits)
    assert collided == "collided: expected at most 10.00%, got 2 of 8 boxes (25.00%)"
    assert error.startswith("decode_error: expected at most 1e-12, got ")
    by_class = report.exceeded(Limits(max_collided=0.3, max_unreadable=1), by_class=True)
    assert by_class == ["collided: expected at most 30.00%, got 1 of 1 boxes (100.00%) of Pedestrian"]
    # a share that is exactly met is kept
    assert report.exceeded(Limits(max_collided=0.25, max_unreadable=1)) == []


@pytest.mark.parametrize(
    ("name", "value"), [("max_collided", 1.5), ("max_duplicate", -0.1), ("max_decode_error", float("nan")),
                        ("max_decode_error", float("inf")), ("max_unreadable", -1)],
)  # fmt: skip
def test_impossible_limits_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected"):
        Limits(**{name: value})


def test_json_holds_all_of_it(report: AuditReport, tmp_path: Path) -> None:
    content = report.to_json(tmp_path / "audit.json", Limits(max_collided=0.1))
    assert json.loads((tmp_path / "audit.json").read_text()) == content
    assert content["frames"] == 5
    assert content["passed"] is False
    assert len(content["exceeded"]) == 2
    assert content["classes"]["Car"]["median_size_m"] == [3.9, 1.6, 1.5]
    assert content["findings"]["duplicate"][0]["frame"] == "duplicate"
    assert content["findings"]["yaw_against_velocity"] == []


def test_the_table_shows_classes_with_boxes_and_columns_with_findings(report: AuditReport) -> None:
    headers, rows = report.rows()
    assert [row[0] for row in rows] == ["Car", "Pedestrian", "total"]
    assert "duplicate" in headers
    assert "odd yaw" not in headers
    assert report.table().row_count == 3


def test_frames_are_chosen_for_what_others_do_not_show(report: AuditReport) -> None:
    chosen = choose_frames(report, 3)
    assert [shown.token for shown in chosen] == ["duplicate", "outside", "collision"]
    assert chosen[0].flaws["duplicate"] == (1,)
    assert "duplicate: box 1" in chosen[0].caption
    assert "sound" not in {shown.token for shown in choose_frames(report, 10)}


def test_nothing_is_read_of_a_split_that_is_not_there(config: Config, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="dataroot: expected a folder"):
        audit_dataset(config, tmp_path / "nowhere")


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kitti(tmp_path_factory.mktemp("audit") / "kitti", train_frames=4, val_frames=1)


def test_page_with_pictures(config: Config, synthetic: Path, tmp_path: Path) -> None:
    report = audit_dataset(config, synthetic, split="trainval")
    page = write_audit_page(report, synthetic, tmp_path / "out", limits=Limits(max_min_radius=0.0), frames=2)
    text = page.read_text()
    for part in ("By class", "Histograms", "Broken limits", "Frames that show most", "min_radius: expected at most"):
        assert part in text
    for name in ("counts.png", "sizes.png", "numbers.png", "frame_0.png"):
        assert (tmp_path / "out" / name).stat().st_size > 5000
        assert name in text


def test_processes_find_the_same(config: Config, synthetic: Path) -> None:
    one = audit_dataset(config, synthetic, split="trainval")
    two = audit_dataset(config, synthetic, split="trainval", executor="process", workers=2)
    assert one.to_dict() == two.to_dict()


def test_a_damaged_file_is_one_frame_less(config: Config, synthetic: Path, tmp_path: Path) -> None:
    root = tmp_path / "kitti"
    shutil.copytree(synthetic, root)
    labels = sorted((root / "training" / "label_2").glob("*.txt"))
    labels[1].write_text("Car 0 0 0 1 1 2 2 nan 1 4 0 1 20 0\n")
    scans = sorted((root / "training" / "velodyne").glob("*.bin"))
    scans[2].unlink()
    report = audit_dataset(config, root, split="trainval")
    assert list(report.unreadable) == [labels[1].stem]
    assert "nan" in report.unreadable[labels[1].stem]
    assert len(report.notes) == 1
    assert str(scans[2]) in report.notes[0]
    unknown = report.boxes.num_points[report.boxes.sample == 2]
    assert len(unknown)
    assert (unknown == -1).all()
    # and the page is written all the same
    write_audit_page(report, root, tmp_path / "out", frames=5)


def test_a_split_without_a_readable_frame(config: Config, synthetic: Path, tmp_path: Path) -> None:
    root = tmp_path / "kitti"
    shutil.copytree(synthetic, root)
    for file in (root / "training" / "label_2").glob("*.txt"):
        file.write_text("Spaceship\n")
    report = audit_dataset(config, root, split="trainval")
    assert len(report.unreadable) == 5
    assert report.boxes.counts()["total"]["boxes"] == 0
    write_audit_page(report, root, tmp_path / "out")


def test_real_kitti(config: Config, kitti_root: Path) -> None:
    total = audit_dataset(config, kitti_root, split="trainval").boxes.counts()["total"]
    assert (total["boxes"], total["kept"], total["out_of_range"]) == (395, 391, 1)
    assert (total["without_points"], total["too_few_points"]) == (4, 3)
    assert total["min_radius"] == 390
    assert all(total[name] == 0 for name in ("collided", "non_finite", "size_outlier", "duplicate"))
    assert total["max_decode_error"] < 2e-6


def test_real_nuscenes_tables(real_data: Path) -> None:
    config = load_config("synthetic_nuscenes")
    report = audit_dataset(config, real_data / "nuscenes_mini_val", split="mini_val")
    counts = report.boxes.counts()
    total = counts["total"]
    assert (total["boxes"], total["kept"], total["out_of_range"]) == (4441, 3489, 427)
    assert (total["collided"], total["without_points"], total["out_of_range_z"]) == (28, 723, 19)
    assert (counts["pedestrian"]["collided"], counts["traffic_cone"]["collided"]) == (27, 1)
    assert (total["duplicate"], total["non_finite"], total["yaw_against_velocity"]) == (0, 0, 1)
    (odd,) = report.findings("yaw_against_velocity")
    assert odd.class_name == "car"
    assert dict(report.other) == {"movable_object.pushable_pullable": 19, "static_object.bicycle_rack": 54}


def test_points_counted_in_the_real_key_frame(real_data: Path, tmp_path: Path) -> None:
    root = keyframe_dataset(real_data, tmp_path / "nuscenes")
    config = load_config("synthetic_nuscenes")
    recorded = audit_dataset(config, root, split="mini_train")
    counted = audit_dataset(replace(config, frame="level"), root, split="mini_train", points="counted")
    assert recorded.boxes.num_points.tolist() == counted.boxes.num_points.tolist()
