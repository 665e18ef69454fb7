"""``bev3d predict``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bev3d._errors import UserError
from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Write what a trained detector finds: a nuScenes submission (JSON) or a folder of KITTI result files.

    A prediction that was stopped goes on where it was: until all is done, finished samples lie beside --out.
    """

    config: Path
    """Preset that the checkpoint was trained with; thresholds may differ."""
    checkpoint: Path
    """File that training wrote."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """nuScenes: results.json; KITTI: a folder."""
    split: str | None = None
    """Split; the preset's validation split where none is given."""
    resume: bool = True
    """Go on from the samples that a stopped prediction has finished."""
    speed_report: bool = False
    """Show the time of each stage: reading, encoding, network, decoding, suppression, writing."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "predict", argv)
    from bev3d.data import open_dataset
    from bev3d.evaluation import write_submission
    from bev3d.training import StageClock, predict

    _check_out(options.out, config.dataset)
    split = options.split or config.val_split
    dataset = open_dataset(config, options.dataroot, split)
    parts = options.out.parent / f".{options.out.name}.parts"
    if not options.resume:
        shutil.rmtree(parts, ignore_errors=True)
    clock = StageClock()
    detections = predict(options.checkpoint, options.dataroot, config=config, dataset=dataset, parts=parts, clock=clock)
    with clock.stage("write"):
        write_submission(options.out, detections, dataset=dataset)
    shutil.rmtree(parts, ignore_errors=True)
    boxes = sum(len(found.scores) for found in detections.values())
    print(f"{options.out}: {boxes} boxes in {len(detections)} samples of {split}")
    if options.speed_report:
        print(clock.report())


def _check_out(out: Path, dataset: str) -> None:
    """Raise before hours of work, not after, where the result cannot be written."""
    if dataset == "nuscenes" and out.is_dir():
        raise UserError(f"--out: expected a file such as results.json for nuScenes, got the folder {out}")
    if dataset == "kitti" and out.is_file():
        raise UserError(f"--out: expected a folder for KITTI result files, got the file {out}")
