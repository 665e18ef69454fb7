"""A synthetic data set in the layout of the KITTI object benchmark."""

from __future__ import annotations

import os
from pathlib import Path

from bev3d._errors import ConfigError
from bev3d._files import write_json, write_text
from bev3d.synth._folder import RECIPE_FILE, check_counts, is_complete, make_folders, open_folder, work_off
from bev3d.synth._kitti_frame import write_frame

__all__ = ["write_kitti"]

FORMAT_VERSION = 1  # of the recipe: another number where the same recipe gives other bytes


def write_kitti(
    out: str | os.PathLike[str], *, train_frames: int, val_frames: int, seed: int = 0, workers: int = 2
) -> Path:
    """Write street scenes scanned by a 64-beam LiDAR in the layout of KITTI, each frame another street.

    ``training/velodyne`` holds the 120 degrees in front of the car, which contain the camera's field of view;
    ``image_2`` the scan drawn as a picture; ``label_2`` what the camera could see (types Car, Van, Truck, Pedestrian,
    Person_sitting, Cyclist, Misc, and DontCare for what is beyond 70 m or has no return). ``ImageSets`` come last,
    so a folder with them is whole; an interrupted run goes on where it stopped.

    Args:
        out: new or empty folder, or one that the same call began.
        train_frames, val_frames: frames; their sum at least 1.
        seed: the same seed gives the same bytes, whatever the number of workers.
        workers: threads.

    Returns:
        ``out`` as a path.

    Raises:
        ConfigError: a number out of its range.
        UserError: the folder holds something else.
    """
    check_counts(seed, workers, {"train_frames": (train_frames, 0), "val_frames": (val_frames, 0)})
    if train_frames + val_frames < 1:
        raise ConfigError("train_frames + val_frames: expected at least 1 frame, got 0")
    recipe = {
        "format": "kitti", "format_version": FORMAT_VERSION, "train_frames": train_frames, "val_frames": val_frames,
        "seed": seed,
    }  # fmt: skip
    root = open_folder(out, recipe)
    if is_complete(root):
        return root
    numbers = range(train_frames + val_frames)
    _write_frames(root, [number for number in numbers if not _label(root, number).exists()], seed, workers)
    sets = {"train": numbers[:train_frames], "val": numbers[train_frames:], "trainval": numbers}
    for name, members in sets.items():
        write_text(root / "ImageSets" / f"{name}.txt", "".join(f"{number:06d}\n" for number in members))
    write_json(root / RECIPE_FILE, {**recipe, "complete": True})
    return root


def _write_frames(root: Path, numbers: list[int], seed: int, workers: int) -> None:
    make_folders(root, [f"training/{folder}" for folder in ("velodyne", "label_2", "calib", "image_2")])
    work_off(lambda number: write_frame(root, number, seed), numbers, workers, "frames")


def _label(root: Path, number: int) -> Path:
    return root / "training" / "label_2" / f"{number:06d}.txt"
