"""``bev3d evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bev3d._errors import UserError
from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Score predictions: nuScenes (--dataroot, --predictions) or KITTI (--kitti-labels, --kitti-predictions)."""

    dataroot: Path | None = None
    """nuScenes: folder of the data set."""
    version: str = "v1.0-mini"
    """nuScenes: name of the folder with the tables."""
    split: str = "mini_val"
    """nuScenes: split that the predictions are for."""
    predictions: Path | None = None
    """nuScenes: submission JSON."""
    kitti_labels: Path | None = None
    """KITTI: folder of label files (label_2)."""
    kitti_predictions: Path | None = None
    """KITTI: folder of result files."""
    out: Path | None = None
    """Folder for metrics.json."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "evaluate", argv)
    nuscenes = options.dataroot is not None and options.predictions is not None
    kitti = options.kitti_labels is not None and options.kitti_predictions is not None
    if nuscenes == kitti:
        raise UserError(
            "expected either --dataroot and --predictions (nuScenes) or --kitti-labels and --kitti-predictions"
        )
    from rich.console import Console

    from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes

    result: Any
    if options.dataroot is not None and options.predictions is not None:
        result = evaluate_nuscenes(options.dataroot, options.version, options.split, options.predictions)
    elif options.kitti_labels is not None and options.kitti_predictions is not None:
        result = evaluate_kitti(options.kitti_labels, options.kitti_predictions)
    Console().print(result.table())
    if options.out is not None:
        result.to_json(options.out / "metrics.json")
        print(options.out / "metrics.json")
