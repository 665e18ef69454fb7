"""The KITTI metric: a real detector's published curves, and closed forms for each rule of the protocol."""

from __future__ import annotations

import io
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bev3d._errors import DataFormatError
from bev3d.evaluation import KittiResult, evaluate_kitti

# 100 frames with one object each: enough that every recall step has a score of its own.
FRAMES = 100


def line(
    name: str = "Car",
    *,
    left: float = 100.0,
    height: float = 60.0,
    x: float = 2.0,
    alpha: float = 0.5,
    occlusion: int = 0,
    truncation: float = 0.0,
    score: float | None = None,
) -> str:
    size = "1.8 0.6 0.8" if name in ("Pedestrian", "Person_sitting") else "1.5 1.6 4.0"
    text = f"{name} {truncation} {occlusion} {alpha} {left} 100 {left + 80} {100 + height} {size} {x} 1.7 20 0.3"
    return text if score is None else f"{text} {score}"


def dont_care(left: float, width: float) -> str:
    return f"DontCare -1 -1 -10 {left} 90 {left + width} 200 -1 -1 -1 -1000 -1000 -1000 -10"


class Folder:
    """Labels and detections that are the same in every frame but for the scores."""

    def __init__(self, root: Path) -> None:
        self.labels, self.found = root / "labels", root / "found"
        self.labels.mkdir()
        self.found.mkdir()

    def evaluate(self, truth: list[str], found: list[dict[str, Any]], **options: Any) -> KittiResult:
        """``found``: properties of :func:`line`; a detection's score falls with the frame, ``lead`` is added to it."""
        for i in range(FRAMES):
            (self.labels / f"{i:06d}.txt").write_text("\n".join(truth) + "\n")
            base = 0.9 - 0.001 * i
            scored = [line(**self._scored(one, base)) for one in found]
            (self.found / f"{i:06d}.txt").write_text("\n".join(scored) + "\n\n")
        return evaluate_kitti(self.labels, self.found, **options)

    def _scored(self, one: dict[str, Any], base: float) -> dict[str, Any]:
        properties = {"score": base} | one
        properties["score"] += properties.pop("lead", 0.0)
        return properties


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def moderate(result: KittiResult, metric: str = "3d", name: str = "Car") -> float:
    return result.r40(name, metric, "moderate")


def test_a_real_detector_gets_its_published_curves(kitti_root: Path, tmp_path: Path) -> None:
    """Point-GNN on the 3,769 frames of the val split, against the official tool's printed curves (six decimals)."""
    for name in ("val_labels", "point_gnn_val"):
        with tarfile.open(kitti_root / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
    stored = json.loads((kitti_root / "point_gnn_val_expected.json").read_text())["Car"]
    result = evaluate_kitti(tmp_path / "label_2", tmp_path / "point_gnn_val" / "data")
    assert result.num_frames == 3769
    for metric, key, curve in (
        ("image", "2D", "precision_41"),
        ("bev", "BEV", "precision_41"),
        ("3d", "3D", "precision_41"),
        ("aos", "AOS", "similarity_41"),
    ):
        for i, level in enumerate(("easy", "moderate", "hard")):
            ours = result.curves["Car"][metric][level].precision
            np.testing.assert_allclose(ours, stored[key][curve][level], rtol=0, atol=5.0001e-7)
            assert result.r40("Car", metric, level) == pytest.approx(stored[key]["R40"][i], abs=5e-5)
            assert result.r11("Car", metric, level) == pytest.approx(stored[key]["R11"][i], abs=5e-5)
    published = {"bev": (93.199, 89.592, 86.979), "3d": (90.851, 82.295, 77.718)}
    for metric, values in published.items():
        ours = tuple(round(result.r40("Car", metric, level), 3) for level in ("easy", "moderate", "hard"))
        assert ours == values
    assert result.r40("Pedestrian", "3d", "moderate") == 0


@pytest.mark.parametrize("name", ["Car", "Pedestrian", "Cyclist"])
def test_the_labels_themselves_score_one_hundred(folder: Folder, name: str) -> None:
    result = folder.evaluate([line(name)], [{"name": name}])
    for metric in ("image", "bev", "3d", "aos"):
        for level in ("easy", "moderate", "hard"):
            assert result.r40(name, metric, level) == pytest.approx(100)
            assert result.r11(name, metric, level) == pytest.approx(100)
    others = {"Car", "Pedestrian", "Cyclist"} - {name}
    assert all(math.isnan(moderate(result, "3d", other)) for other in others)


def test_half_the_detections_wrong_halves_the_precision(folder: Folder) -> None:
    result = folder.evaluate([line()], [{}, {"left": 700.0, "x": 15.0}])
    assert moderate(result) == pytest.approx(50, abs=0.5)


def test_half_the_objects_found_halves_the_recall(folder: Folder) -> None:
    result = folder.evaluate([line(), line(left=700.0, x=15.0)], [{}])
    assert moderate(result) == pytest.approx(50, abs=1.5)


def test_orientation_similarity(folder: Folder) -> None:
    """A heading off by 90 degrees counts one half, by 180 degrees nothing."""
    for turn, share in ((0.0, 100), (math.pi / 2, 50), (math.pi, 0)):
        result = folder.evaluate([line()], [{"alpha": 0.5 + turn}])
        assert moderate(result, "aos") == pytest.approx(share, abs=1e-3)
        assert moderate(result, "image") == pytest.approx(100)


def test_no_orientation_similarity_without_observation_angles(folder: Folder) -> None:
    assert "aos" not in folder.evaluate([line()], [{"alpha": -10}]).curves["Car"]


def test_overlap_must_exceed_the_threshold(folder: Folder) -> None:
    """Image boxes 80 px wide, shifted by a third of the union: IoU 0.5, which is not more than 0.5."""
    truth, found = [line("Pedestrian")], [{"name": "Pedestrian", "left": 100 + 80 / 3}]
    assert moderate(folder.evaluate(truth, found, min_overlap={"Pedestrian": 0.499}), "image", "Pedestrian") > 99
    assert moderate(folder.evaluate(truth, found, min_overlap={"Pedestrian": 0.501}), "image", "Pedestrian") == 0
    boxes = [{"name": "Pedestrian", "left": 140.0}]  # 40 of 120 px: exactly 1/3
    third = 40 / 120
    assert moderate(folder.evaluate(truth, boxes, min_overlap={"Pedestrian": third}), "image", "Pedestrian") == 0


def test_a_van_found_as_a_car_counts_neither_way(folder: Folder) -> None:
    truth = [line(), line("Van", left=700.0, x=15.0)]
    assert moderate(folder.evaluate(truth, [{}, {"left": 700.0, "x": 15.0}])) == pytest.approx(100)
    truth = [line(), line("Truck", left=700.0, x=15.0)]
    assert moderate(folder.evaluate(truth, [{}, {"left": 700.0, "x": 15.0}])) == pytest.approx(50, abs=0.5)


def test_unlabelled_regions_absorb_in_the_picture_only(folder: Folder) -> None:
    """80 % of the detection lies in the region; the region itself is far larger."""
    truth = [line(), dont_care(left=716.0, width=500.0)]
    result = folder.evaluate(truth, [{}, {"left": 700.0, "x": 15.0}])
    assert moderate(result, "image") == pytest.approx(100)
    assert moderate(result, "bev") == pytest.approx(50, abs=0.5)
    truth = [line(), dont_care(left=740.0, width=500.0)]
    assert moderate(folder.evaluate(truth, [{}, {"left": 700.0, "x": 15.0}]), "image") == pytest.approx(50, abs=0.5)


def test_difficulties_ask_for_height_occlusion_and_truncation(folder: Folder) -> None:
    def counts(**properties: float) -> list[int]:
        result = folder.evaluate([line(**properties)], [{}])  # type: ignore[arg-type]
        return [curve.num_ground_truth for curve in result.curves["Car"]["3d"].values()]

    assert counts() == [FRAMES] * 3
    assert counts(occlusion=1) == [0, FRAMES, FRAMES]
    assert counts(occlusion=2) == [0, 0, FRAMES]
    assert counts(truncation=0.31) == [0, 0, FRAMES]
    assert counts(height=39) == [0, FRAMES, FRAMES]
    assert counts(height=25) == [0, 0, 0]


def test_an_object_of_exactly_the_minimum_height(folder: Folder) -> None:
    truth, found = [line(height=25.0)], [{"height": 25.0}]
    assert folder.evaluate(truth, found).curves["Car"]["3d"]["hard"].num_ground_truth == 0
    counted = folder.evaluate(truth, found, exact_height_counts=True)
    assert counted.curves["Car"]["3d"]["hard"].num_ground_truth == FRAMES
    assert counted.r40("Car", "3d", "hard") == pytest.approx(100)


def test_an_ignored_object_excuses_its_detection(folder: Folder) -> None:
    """Too occluded for easy: found or not, it counts neither way there."""
    truth = [line(), line(left=700.0, x=15.0, occlusion=2)]
    result = folder.evaluate(truth, [{}, {"left": 700.0, "x": 15.0}])
    assert result.r40("Car", "3d", "easy") == pytest.approx(100)
    assert result.curves["Car"]["3d"]["easy"].num_ground_truth == FRAMES
    assert result.curves["Car"]["3d"]["hard"].num_ground_truth == 2 * FRAMES


def test_a_small_detection_of_any_class_takes_an_object(folder: Folder) -> None:
    """Its height is looked at before its class: the object is then neither found nor missed."""
    small = {"name": "Cyclist", "height": 20.0, "score": 0.99}
    result = folder.evaluate([line()], [small])
    assert moderate(result) == 0
    tall = folder.evaluate([line()], [{"name": "Cyclist"}, {}])
    assert moderate(tall) == pytest.approx(100)


def test_the_greatest_overlap_wins_in_the_second_pass(folder: Folder) -> None:
    """The detection that leads by a hair in score faces backwards and overlaps less: the other one is the match."""
    result = folder.evaluate([line()], [{"x": 2.2, "left": 105.0, "alpha": 0.5 + math.pi, "lead": 0.0005}, {}])
    assert moderate(result) == pytest.approx(50, abs=3)
    assert moderate(result, "aos") == pytest.approx(50, abs=3)


def test_no_detection_at_all(folder: Folder) -> None:
    result = folder.evaluate([line()], [])
    assert moderate(result) == moderate(result, "image") == 0


def test_frames_may_be_chosen(folder: Folder) -> None:
    folder.evaluate([line()], [{}])
    assert evaluate_kitti(folder.labels, folder.found, ["000000", "000003"]).num_frames == 2


def test_json_and_table(folder: Folder, tmp_path: Path) -> None:
    from rich.console import Console

    result = folder.evaluate([line()], [{}])
    text = result.to_json(tmp_path / "kitti.json")
    assert (tmp_path / "kitti.json").read_text() == text
    content = json.loads(text)["classes"]
    assert content["Car"]["3d"]["R40"]["moderate"] == pytest.approx(100)
    assert content["Cyclist"]["bev"]["R11"]["easy"] is None
    console = Console(width=80, file=io.StringIO())
    with console.capture() as capture:
        console.print(result.table())
    assert "Car > 0.7" in capture.get()
    assert "…" not in capture.get()


class TestBadInput:
    def test_missing_folders_and_files(self, folder: Folder, tmp_path: Path) -> None:
        with pytest.raises(DataFormatError, match="nowhere: no such folder"):
            evaluate_kitti(tmp_path / "nowhere", folder.found)
        with pytest.raises(DataFormatError, match=r"expected result files ID\.txt, found none"):
            evaluate_kitti(folder.labels, folder.found)
        folder.evaluate([line()], [{}])
        (folder.labels / "000200.txt").write_text(line())
        with pytest.raises(DataFormatError, match=r"found/000200\.txt: no such"):
            evaluate_kitti(folder.labels, folder.found, ["000200"])
        (folder.labels / "000050.txt").unlink()
        with pytest.raises(DataFormatError, match=r"labels/000050\.txt: no such"):
            evaluate_kitti(folder.labels, folder.found)

    def test_detections_without_scores(self, folder: Folder) -> None:
        folder.evaluate([line()], [{}])
        (folder.found / "000004.txt").write_text(line() + "\n")
        with pytest.raises(DataFormatError, match=r"found/000004\.txt:1: expected 16 columns .* got 15"):
            evaluate_kitti(folder.labels, folder.found)

    def test_an_unknown_class_to_evaluate(self, folder: Folder) -> None:
        with pytest.raises(ValueError, match="min_overlap: expected one of Car, Van"):
            folder.evaluate([line()], [{}], min_overlap={"car": 0.5})
