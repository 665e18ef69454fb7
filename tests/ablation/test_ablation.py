"""Ablations: variants read strictly, runs kept, differences taken seed by seed."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from pathlib import Path

import pytest

from bev3d import ConfigError, UserError
from bev3d.ablation import ablate, read_variants
from bev3d.ablation._summary import difference, summarise
from bev3d.config import Config, load_config
from bev3d.synth import write_kitti, write_nuscenes


def config(dataset: str = "nuscenes") -> Config:
    """A network that trains in a second; KITTI: the forward view of its preset, coarser."""
    preset = load_config("synthetic_nuscenes" if dataset == "nuscenes" else "kitti_3class")
    small = {"channels": (8, 8), "blocks": (1, 1), "lateral_channels": 8, "head_channels": 8, "epochs": 1.0}
    return dataclasses.replace(preset, voxel_size_m=(0.8, 0.8, preset.voxel_size_m[2]), sweeps=1, **small)


def written(folder: Path, text: str) -> Path:
    path = folder / "variants.yaml"
    path.write_text(text)
    return path


def test_variants_change_what_they_name(tmp_path: Path) -> None:
    base = config()
    plain, other = read_variants(written(tmp_path, "base:\niou+corner: {iou_weight: 0.5, corner_weight: 1}\n"), base)
    assert plain.config == base
    assert other.config == dataclasses.replace(base, iou_weight=0.5, corner_weight=1.0)
    assert other.name == "iou+corner"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {iou_wight: 1}", "a: iou_wight: expected a known key.*iou_weight"),
        ("a: {iou_weight: much}", "a: iou_weight: expected float, got str 'much'"),
        ("a: [1]", "a: expected settings and values, got list"),
        ("../a: {}", "expected names of letters"),
        ("[1]", "expected names of variants"),
        ("", "expected names of variants"),
        ("a: {", "expected a YAML file"),
    ],
)
def test_bad_variants_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_variants(written(tmp_path, text), config())


def test_an_unknown_file_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"variants: expected a YAML file or one of .*losses_nuscenes.*got 'nothing'"):
        read_variants("nothing", config())


@pytest.mark.parametrize("name", ["losses_nuscenes", "losses_kitti"])
def test_variants_that_bev3d_brings_along(name: str) -> None:
    preset = load_config("synthetic_nuscenes" if name == "losses_nuscenes" else "kitti_3class")
    variants = read_variants(name, preset)
    assert variants[0].changes == {}
    assert len({one.config for one in variants}) == len(variants)


def record(seed: int, score: float, **more: float) -> dict[str, object]:
    return {"seed": seed, "steps": 7, "seconds": 1.5, "score": {"mAP": score, **more}}


def test_differences_are_taken_seed_by_seed() -> None:
    base = summarise("base", {}, [record(0, 0.1), record(1, 0.5), record(2, 0.3, bus=0.1)])
    better = summarise("better", {}, [record(0, 0.2), record(1, 0.7), record(2, 0.3)])
    assert base.scores == {"mAP": [0.1, 0.5, 0.3]}
    found = difference(better, base, "mAP")
    assert found.mean == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(statistics.stdev([0.1, 0.2, 0.0]) / math.sqrt(3))
    assert not found.clear
    assert difference(
        summarise("worse", {}, [record(i, s - 0.2) for i, s in enumerate([0.1, 0.5, 0.3])]), base, "mAP"
    ).clear


@pytest.fixture(scope="module")
def nuscenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ablation") / "nuscenes"
    write_nuscenes(root, train_scenes=2, val_scenes=1, samples=2, sweeps=1, seed=0, version="v1.0-mini")
    return root


@pytest.mark.slow
def test_runs_are_kept_and_repeat(nuscenes: Path, tmp_path: Path) -> None:
    variants = read_variants(written(tmp_path, "base:\nnone: {iou_weight: 0.0}\niou: {iou_weight: 1.0}\n"), config())
    found = ablate(variants, nuscenes, tmp_path / "out", seeds=(0, 1), title="Tried")
    base, same, other = found
    assert base.scores == same.scores
    assert other.steps == base.steps
    kept = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [one["name"] for one in kept["variants"]] == ["base", "none", "iou"]
    text = (tmp_path / "out" / "ablation.md").read_text()
    assert text.startswith("# Tried")
    assert "`iou_weight: 1.0`" in text
    assert (tmp_path / "out" / "ablation.png").stat().st_size > 5000
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("checkpoint.pt")}
    (tmp_path / "out" / "iou" / "seed_1" / "score.json").unlink()
    again = ablate(variants, nuscenes, tmp_path / "out", seeds=(0, 1))
    assert [one.scores for one in again] == [one.scores for one in found]
    after = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("checkpoint.pt")}
    assert {file for file in before if before[file] != after[file]} <= {
        tmp_path / "out" / "iou" / "seed_1" / "run" / "checkpoint.pt"
    }
    with pytest.raises(ConfigError, match="variants"):
        ablate(variants[:2], nuscenes, tmp_path / "out", seeds=(0, 1))


@pytest.mark.slow
def test_kitti(tmp_path: Path) -> None:
    write_kitti(tmp_path / "kitti", train_frames=4, val_frames=2, seed=0)
    variants = read_variants(written(tmp_path, "base:\n"), config("kitti"))
    (one,) = ablate(variants, tmp_path / "kitti", tmp_path / "out", seeds=(3,))
    assert {"Car BEV", "Car 3d"} <= set(one.scores)
    assert "| base |" in (tmp_path / "out" / "ablation.md").read_text()


def test_bad_arguments(tmp_path: Path) -> None:
    variants = read_variants(written(tmp_path, "base:\n"), config())
    for keywords, message in (
        ({"seeds": ()}, "seeds: expected different numbers >= 0, got"),
        ({"seeds": (1, 1)}, "seeds: expected different"),
        ({"workers": 0}, "workers: expected at least 1, got 0"),
    ):
        with pytest.raises(UserError, match=message):
            ablate(variants, tmp_path, tmp_path / "out", **keywords)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="variants: expected at least one"):
        ablate([], tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
