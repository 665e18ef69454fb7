"""A synthetic data set in the layout of nuScenes, which the unmodified devkit loads and evaluates."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shutil import rmtree

import numpy as np

from bev3d._errors import ConfigError
from bev3d._files import write_json
from bev3d.synth._attributes import attribute_rows, category_rows, visibility_rows
from bev3d.synth._folder import RECIPE_FILE, check_counts, is_complete, make_folders, open_folder, work_off
from bev3d.synth._nuscenes_scene import Rows, ScenePlan, write_scene
from bev3d.synth._png import write_png
from bev3d.synth._rig import sensor_rows
from bev3d.synth._tokens import LOGFILE, MINI_TRAIN, MINI_VAL, scene_names, token

__all__ = ["write_nuscenes"]

FORMAT_VERSION = 1  # of the recipe: another number where the same recipe gives other bytes
MAP_FILE = "maps/synthetic.png"
PARTS = ".scenes"  # rows of the scenes that are done, until the tables are written


def write_nuscenes(
    out: str | os.PathLike[str],
    *,
    train_scenes: int,
    val_scenes: int,
    samples: int = 4,
    sweeps: int = 5,
    seed: int = 0,
    workers: int = 2,
    version: str = "v1.0-mini",
) -> Path:
    """Write street scenes scanned by a 32-beam LiDAR in the layout of nuScenes.

    Validation scenes take the names of the devkit's mini_val first, training scenes those of mini_train;
    ``<version>/splits.json`` names all of them as ``synth_train`` and ``synth_val``. A LiDAR file holds returns only
    (the rays that come back), about 29,000 of 34,688. Cameras have rows for the key frames and no images. An
    interrupted run goes on where it stopped; the tables come last, so a folder with tables is whole.

    Args:
        out: new or empty folder, or one that the same call began.
        train_scenes, val_scenes: scenes, each another street; their sum at least 1.
        samples: key frames a scene, 0.5 s apart.
        sweeps: LiDAR files for a key frame, itself included, 0.05 s apart (1 to 10).
        seed: the same seed gives the same bytes, whatever the number of workers.
        workers: threads.
        version: folder of the tables.

    Returns:
        ``out`` as a path.

    Raises:
        ConfigError: a number out of its range.
        UserError: the folder holds something else.
    """
    check_counts(
        seed,
        workers,
        {
            "train_scenes": (train_scenes, 0),
            "val_scenes": (val_scenes, 0),
            "samples": (samples, 1),
            "sweeps": (sweeps, 1),
        },
    )
    if train_scenes + val_scenes < 1:
        raise ConfigError("train_scenes + val_scenes: expected at least 1 scene, got 0")
    if sweeps > 10:
        raise ConfigError(f"sweeps: expected 1 to 10 (the next key frame is 10 sweeps away), got {sweeps}")
    recipe = {
        "format": "nuscenes", "format_version": FORMAT_VERSION, "version": version, "train_scenes": train_scenes,
        "val_scenes": val_scenes, "samples": samples, "sweeps": sweeps, "seed": seed,
    }  # fmt: skip
    root = open_folder(out, recipe)
    if is_complete(root):
        rmtree(root / PARTS, ignore_errors=True)
        return root
    train, val = scene_names(train_scenes, val_scenes)
    plans = [ScenePlan(name, i, samples, sweeps, seed) for i, name in enumerate([*val, *train])]
    _write_scenes(root, plans, workers)
    _write_tables(root, version, seed, plans)
    write_json(root / version / "splits.json", _splits(train, val))
    write_json(root / RECIPE_FILE, {**recipe, "complete": True})
    rmtree(root / PARTS)
    return root


def _write_scenes(root: Path, plans: list[ScenePlan], workers: int) -> None:
    """LiDAR files of all scenes; the rows of each go to a file of their own once its LiDAR files are there."""
    make_folders(root, ("samples/LIDAR_TOP", "sweeps/LIDAR_TOP", PARTS))
    left = [plan for plan in plans if not _part(root, plan).exists()]

    def work(plan: ScenePlan) -> None:
        write_json(_part(root, plan), write_scene(plan, root), indent=None)

    work_off(work, left, workers, "scenes")


def _part(root: Path, plan: ScenePlan) -> Path:
    return root / PARTS / f"{plan.name}.json"


def _write_tables(root: Path, version: str, seed: int, plans: list[ScenePlan]) -> None:
    """The 13 tables; sample_annotation, which a reader needs most, last."""
    rows: Rows = {}
    for plan in plans:
        for name, part in json.loads(_part(root, plan).read_text(encoding="utf-8")).items():
            rows.setdefault(name, []).extend(part)
    sensors, calibrated = sensor_rows(seed)
    log = token(seed, "log")
    rows["sensor"], rows["calibrated_sensor"] = sensors, calibrated
    rows["category"], rows["attribute"], rows["visibility"] = (
        category_rows(seed),
        attribute_rows(seed),
        visibility_rows(),
    )
    rows["log"] = [
        {"token": log, "logfile": LOGFILE, "vehicle": "n000", "date_captured": "2024-01-01", "location": "synthetic"}
    ]
    rows["map"] = [
        {"token": token(seed, "map"), "category": "semantic_prior", "filename": MAP_FILE, "log_tokens": [log]}
    ]
    write_png(root / MAP_FILE, np.zeros((16, 16), np.uint8))
    for name in sorted(rows, key=lambda name: name == "sample_annotation"):
        write_json(root / version / f"{name}.json", rows[name], indent=None)


def _splits(train: list[str], val: list[str]) -> dict[str, list[str]]:
    """Splits by name; those of the devkit with the scenes that exist."""
    return {
        "synth_train": train,
        "synth_val": val,
        "mini_train": train[: len(MINI_TRAIN)],
        "mini_val": val[: len(MINI_VAL)],
    }
