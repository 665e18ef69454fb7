"""``bev3d doctor``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from bev3d._errors import UserError
from bev3d.cli._parse import parse

if TYPE_CHECKING:
    from bev3d.config import Config
    from bev3d.doctor import Diagnosis, Frame

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Name the convention that boxes are in and the known defects they show, with the evidence; exits with 1 for any.

    Looks at array files (bev3d doctor frames/*.npz), at a data set (--config and --dataroot), at a configuration alone
    (--config), which may be one of OpenPCDet (.yaml), CenterPoint or mmdet3d (.py).
    """

    arrays: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """.npz files, one frame each, with boxes (N, 7 or 9), and where there are any points (P, 3 or more) and names."""
    boxes: tuple[Path, ...] = ()
    """Files of boxes (.npy), one frame each."""
    points: tuple[Path, ...] = ()
    """Files of points (.npy, .bin), as many as --boxes."""
    config: Path | None = None
    """Preset, or configuration of another project."""
    dataroot: Path | None = None
    """Folder of the data set of --config."""
    split: str | None = None
    """Split; the preset's training split where none is given."""
    frames: int = 30
    """Frames of the data set to look at, spread over the split."""
    out: Path | None = None
    """JSON file to write."""


def run(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    options = parse(Options, "doctor", argv)
    if not (options.arrays or options.boxes or options.config):
        raise UserError("expected array files, --boxes, or --config, got none of them")
    if options.points and not options.boxes:
        raise UserError("--points: expected --boxes beside it; .npz files hold their own points")
    if options.frames < 1:
        raise UserError(f"--frames: expected at least 1, got {options.frames}")
    diagnosis = _diagnose(options)
    table = diagnosis.table()
    if table is not None:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 150).print(table)
    for line in diagnosis.lines():
        print(line)
    if options.out is not None:
        diagnosis.to_json(options.out)
        print(options.out)
    return 1 if diagnosis.defects else 0


def _diagnose(options: Options) -> Diagnosis:
    from bev3d.doctor import (
        Diagnosis,
        Finding,
        diagnose,
        diagnose_settings,
        frames_from_files,
        known_boxes,
        read_settings,
    )

    settings, config = (None, None) if options.config is None else read_settings(options.config)
    frames = frames_from_files(options.arrays, options.boxes, options.points)
    said: list[str] = []
    if options.dataroot is not None:
        if config is None:
            raise UserError("--dataroot: expected a preset of bev3d as --config, which says how to read the data set")
        found, said = _from_dataset(options, config)
        frames += found
    if not frames:
        assert settings is not None  # one of the three was given
        return Diagnosis(0, 0, 0, "", None, 1.0, tuple(diagnose_settings(settings)), ())
    try:
        diagnosis = diagnose(frames)
    except ValueError as error:
        raise UserError(str(error)) from error
    more = [Finding("unreadable", f"{len(said)} frames have no scan: {said[0]}", level="note")] if said else []
    if settings is not None:
        reading = diagnosis.candidate
        boxes = None if reading is None else known_boxes(frames, reading, settings.class_names)
        more += diagnose_settings(settings, boxes)
    return diagnosis.adding(more)


def _from_dataset(options: Options, config: Config) -> tuple[list[Frame], list[str]]:
    from bev3d.data import open_dataset
    from bev3d.doctor import dataset_frames

    assert options.dataroot is not None
    dataset = open_dataset(replace(config, sweeps=1), options.dataroot, options.split or config.train_split)
    return dataset_frames(dataset, options.frames)
