"""The reader of some scenes: the rows of these scenes, and nothing else."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.random_nuscenes import SCENES, random_nuscenes, random_submission
from oracles.tiny_nuscenes import VERSION

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import TABLE_NAMES, NuScenesSubset, read_annotations, sample_tokens
from bev3d.evaluation import evaluate_nuscenes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_nuscenes(tmp_path_factory.mktemp("subset") / "data", seed=7, samples=3, boxes=20)


def expected_rows(root: Path, scenes: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """By plain comprehension: what belongs to the scenes."""
    content = {name: json.loads((root / VERSION / f"{name}.json").read_text()) for name in TABLE_NAMES}

    def keep(table: str, field: str, wanted: set[str]) -> set[str]:
        content[table] = [row for row in content[table] if row[field] in wanted]
        return {row["token"] for row in content[table]}

    samples = keep("sample", "scene_token", keep("scene", "name", set(scenes)))
    keep("sample_annotation", "sample_token", samples)
    keep("sample_data", "sample_token", samples)
    keep("instance", "token", {row["instance_token"] for row in content["sample_annotation"]})
    keep("ego_pose", "token", {row["ego_pose_token"] for row in content["sample_data"]})
    keep("calibrated_sensor", "token", {row["calibrated_sensor_token"] for row in content["sample_data"]})
    return content


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("scenes", ["mini_val", "everything", ("mine",), ("mine", "scene-0103")])
def test_rows_are_those_of_the_scenes(root: Path, tmp_path: Path, scenes: Any, cached: bool) -> None:
    subset = NuScenesSubset(root, VERSION, scenes, cache=tmp_path / "cache" if cached else True)
    names = {"mini_val": SCENES[:2], "everything": SCENES}.get(scenes, scenes)
    everything = NuScenesTables(root, VERSION)
    expected = expected_rows(root, names)
    for table, rows in expected.items():
        assert list(subset.rows(table)) == rows, table
        assert subset.tokens(table) == tuple(row["token"] for row in rows)
        for row in rows:
            assert subset.get(table, row["token"]) == row
        strangers = {row["token"] for row in everything.rows(table)} - {row["token"] for row in rows}
        for token in strangers:
            with pytest.raises(
                DataFormatError, match=rf"{table}\.json: no row has the token '{token}' in the scenes of"
            ):
                subset.get(table, token)
    for sample in expected["sample"]:
        for field in ("boxes", "tokens", "categories", "attributes"):
            ours, theirs = (getattr(read_annotations(t, sample["token"]), field) for t in (subset, everything))
            np.testing.assert_array_equal(ours, theirs)
        assert subset.key_frame(sample["token"]) == everything.key_frame(sample["token"])


def test_strangers_are_not_found(root: Path) -> None:
    subset = NuScenesSubset(root, VERSION, ["mine"])
    stranger = sample_tokens(NuScenesTables(root, VERSION), "mini_val")[0]
    for look in (subset.sample_annotations, subset.key_frame, subset.sample):
        with pytest.raises(DataFormatError, match=f"no row has the token '{stranger}' in the scenes of mine"):
            look(stranger)
    with pytest.raises(DataFormatError, match="scene-9"):
        NuScenesSubset(root, VERSION, ["scene-9"]).rows("scene")
    with pytest.raises(DataFormatError, match="split: expected one of"):
        NuScenesSubset(root, VERSION, "vall").rows("scene")


def test_data_set_and_metric_take_it(root: Path, tmp_path: Path) -> None:
    everything = NuScenesTables(root, VERSION)
    subset = pickle.loads(pickle.dumps(NuScenesSubset(root, VERSION, "mini_val")))
    assert sample_tokens(subset, "everything") == sample_tokens(everything, "mini_val")
    assert NuScenesDataset(root, split="mini_val", tables=subset).tokens == sample_tokens(everything, "mini_val")
    path = tmp_path / "r.json"
    path.write_text(json.dumps(random_submission(root, list(sample_tokens(everything, "mini_val")), seed=0)))
    expected = evaluate_nuscenes(root, VERSION, "mini_val", path)
    assert evaluate_nuscenes(root, VERSION, "mini_val", path, tables=subset) == expected
