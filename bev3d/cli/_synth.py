"""``bev3d synth``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bev3d._errors import UserError
from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Make a synthetic data set: a spinning LiDAR in streets with moving objects, written as nuScenes or KITTI."""

    out: Path
    """Folder to write; must be new or empty."""
    format: Literal["nuscenes", "kitti"] = "nuscenes"
    """Layout of the folder."""
    scenes: int = 12
    """nuScenes: scenes, each another street; KITTI: frames. One in six (at least one) is for validation."""
    samples: int = 4
    """nuScenes: key frames a scene, 0.5 s apart."""
    sweeps: int = 5
    """nuScenes: LiDAR sweeps for a key frame, itself included."""
    seed: int = 0
    """The same seed gives the same bytes."""
    workers: int = 2
    """Threads."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "synth", argv)
    from bev3d.synth import write_kitti, write_nuscenes

    if options.scenes < 2:
        raise UserError(f"--scenes: expected at least 2 (training and validation), got {options.scenes}")
    validation = max(1, options.scenes // 6)
    training = options.scenes - validation
    shared: dict[str, Any] = {"seed": options.seed, "workers": options.workers}
    try:
        if options.format == "kitti":
            write_kitti(options.out, train_frames=training, val_frames=validation, **shared)
        else:
            counts: dict[str, Any] = {"samples": options.samples, "sweeps": options.sweeps}
            write_nuscenes(options.out, train_scenes=training, val_scenes=validation, **counts, **shared)
    except ValueError as error:  # a number out of its range
        raise UserError(str(error)) from error
    print(f"{options.out}: {training} for training, {validation} for validation")
