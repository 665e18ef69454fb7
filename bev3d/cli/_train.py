"""``bev3d train``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Train a detector; a run that was stopped goes on from its last checkpoint."""

    config: Path
    """Preset: a YAML file or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """Folder for checkpoint, log and loss curve."""
    resume: bool = True
    """Go on from the checkpoint in --out where there is one."""
    max_seconds: float | None = None
    """Stop after this many seconds with a checkpoint to go on from."""


def run(argv: list[str]) -> int:
    """Run the command; the status is 130 after Ctrl-C and 143 after SIGTERM."""
    options, config = parse_with_config(Options, "train", argv)
    from bev3d.training import TrainingInterrupted, train

    try:
        result = train(config, options.dataroot, options.out, resume=options.resume, max_seconds=options.max_seconds)
    except TrainingInterrupted as stopped:
        print(f"bev3d train: {stopped}", file=sys.stderr)
        return stopped.status
    if not result.is_main:
        return 0
    losses = ", ".join(f"{name} {value:.4f}" for name, value in result.losses.items())
    print(f"{result.checkpoint}: step {result.steps} of {result.total_steps}, {result.seconds:.0f} s; {losses}")
    print(f"{result.waiting_share:.1%} of the time of the steps went by in waiting for data")
    if result.best:
        best = result.best
        print(f"{result.checkpoint.with_name('best.pt')}: step {best['step']}, mAP {best['mean_ap']:.4f}")
    return 0
