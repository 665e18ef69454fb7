"""``bev3d predict``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Write what a trained detector finds: a nuScenes submission (JSON) or a folder of KITTI result files."""

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


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "predict", argv)
    from bev3d.data import open_dataset
    from bev3d.evaluation import write_submission
    from bev3d.training import predict

    split = options.split or config.val_split
    dataset = open_dataset(config, options.dataroot, split)
    detections = predict(options.checkpoint, options.dataroot, config=config, dataset=dataset)
    write_submission(options.out, detections, dataset=dataset)
    boxes = sum(len(found.scores) for found in detections.values())
    print(f"{options.out}: {boxes} boxes in {len(detections)} samples of {split}")
