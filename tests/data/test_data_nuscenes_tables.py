"""Tables, splits and the errors of broken folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY, TABLE_NAMES, sample_tokens, scene_names
from bev3d.data.nuscenes._official import OFFICIAL_SPLITS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)


def edit(root: Path, table: str, row: int, **changes: object) -> str:
    """Change a row on disk (None deletes the key) and return its token."""
    path = root / VERSION / f"{table}.json"
    rows = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            del rows[row][key]
        else:
            rows[row][key] = value
    path.write_text(json.dumps(rows))
    return str(rows[row].get("token"))


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_missing_table_is_named(root: Path, table: str) -> None:
    (root / VERSION / f"{table}.json").unlink()
    with pytest.raises(DataFormatError, match=rf"{table}\.json: missing; a nuScenes folder has 13 tables"):
        NuScenesTables(root, VERSION)


def test_a_missing_folder_is_named(root: Path) -> None:
    with pytest.raises(DataFormatError, match=r"v1\.0-trainval: no such folder"):
        NuScenesTables(root, "v1.0-trainval")


def test_a_missing_key_names_table_row_and_token(root: Path) -> None:
    token = edit(root, "sample_annotation", 3, size=None)
    with pytest.raises(DataFormatError, match=rf"sample_annotation\.json, row 3 \(token '{token}'\): missing key size"):
        NuScenesTables(root, VERSION).rows("sample_annotation")


def test_an_unknown_token_names_table_and_token(root: Path) -> None:
    with pytest.raises(DataFormatError, match=r"ego_pose\.json: no row has the token 'nowhere'"):
        NuScenesTables(root, VERSION).get("ego_pose", "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [("[{", "expected JSON"), ("{}", "expected a list of rows, got dict"), ("[1]", "row 0: expected an object")],
)
def test_a_file_that_is_no_table(root: Path, text: str, message: str) -> None:
    (root / VERSION / "sample.json").write_text(text)
    with pytest.raises(DataFormatError, match=rf"sample\.json.*{message}"):
        NuScenesTables(root, VERSION).rows("sample")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": [1.0, 0.0, 2.0]}, "three sizes > 0"),
        ({"size": [1.0, -1.0, 2.0]}, "three sizes > 0"),
        ({"size": [1.0, float("nan"), 2.0]}, "finite numbers"),
        ({"translation": [float("nan"), 0.0, 2.0]}, "finite numbers"),
        ({"rotation": [0.0, 0.0, 0.0, 0.0]}, "a rotation other than 0"),
    ],
)
def test_impossible_boxes_name_the_annotation(root: Path, changes: dict[str, object], message: str) -> None:
    token = edit(root, "sample_annotation", 0, **changes)
    with pytest.raises(DataFormatError, match=rf"token {token}: expected {message}, got translation"):
        NuScenesDataset(root, split="mini_val").annotations(0)


def test_an_impossible_pose_names_the_row(root: Path) -> None:
    token = edit(root, "calibrated_sensor", 0, rotation=[0.0, 0.0, 0.0, 0.0])
    with pytest.raises(DataFormatError, match=rf"calibrated_sensor\.json, token {token}: rotation: expected 4"):
        NuScenesDataset(root, split="mini_val").annotations(0)


def test_a_sample_without_lidar_is_named(root: Path) -> None:
    edit(root, "sample_data", 0, is_key_frame=False)
    dataset = NuScenesDataset(root, split="mini_val")
    with pytest.raises(DataFormatError, match=f"expected a key frame of LIDAR_TOP for sample {dataset.tokens[0]}"):
        dataset.annotations(0)


class TestSplits:
    def test_official_splits_are_the_devkits(self, root: Path) -> None:
        splits = pytest.importorskip("nuscenes.utils.splits")
        tables = NuScenesTables(root, VERSION)
        theirs = splits.create_splits_scenes()
        assert set(theirs) == set(OFFICIAL_SPLITS)
        for name, scenes in theirs.items():
            assert list(scene_names(tables, name)) == scenes

    def test_custom_splits_and_scene_names(self, tmp_path: Path) -> None:
        root = tiny_nuscenes(tmp_path / "two", scenes=("scene-0103", "mine"), samples=2, sweeps=1)
        tables = NuScenesTables(root, VERSION)
        everything = [row["token"] for row in tables.rows("sample")]
        assert list(sample_tokens(tables, "everything")) == everything
        assert list(sample_tokens(tables, "mini_val")) == everything[:2]
        assert list(sample_tokens(tables, ["mine"])) == everything[2:]

    def test_an_unknown_split_lists_the_known_ones(self, root: Path) -> None:
        with pytest.raises(
            DataFormatError, match=r"expected one of mini_train, mini_val, train.*everything.*got 'vall'"
        ):
            NuScenesDataset(root, split="vall")

    def test_a_split_without_any_scene_here(self, root: Path) -> None:
        with pytest.raises(DataFormatError, match=r"expected scenes of split 'mini_train'.*found 1 scenes: scene-0103"):
            NuScenesDataset(root, split="mini_train")

    def test_a_scene_that_is_not_here(self, root: Path) -> None:
        with pytest.raises(DataFormatError, match="scene-9999"):
            NuScenesDataset(root, split=["scene-0103", "scene-9999"])

    def test_no_devkit_is_needed(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "nuscenes.utils.splits", None)
        tables = NuScenesTables(root, VERSION)
        sizes = {name: len(scene_names(tables, name)) for name in ("train", "val", "test", "mini_train", "mini_val")}
        assert sizes == {"train": 700, "val": 150, "test": 150, "mini_train": 8, "mini_val": 2}

    def test_a_broken_splits_file(self, root: Path) -> None:
        (root / VERSION / "splits.json").write_text('{"mine": 3}')
        with pytest.raises(DataFormatError, match=r"splits\.json: expected an object of lists"):
            NuScenesDataset(root, split="mine")


def test_categories_are_the_devkits() -> None:
    utils = pytest.importorskip("nuscenes.eval.detection.utils")
    others = ("animal", "static_object.bicycle_rack", "human.pedestrian.stroller", "vehicle.emergency.police")
    for category in (*DETECTION_CLASS_OF_CATEGORY, *others):
        assert DETECTION_CLASS_OF_CATEGORY.get(category) == utils.category_to_detection_name(category)
