"""``bev3d train``."""

from __future__ import annotations

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


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "train", argv)
    from bev3d.training import train

    result = train(config, options.dataroot, options.out, resume=options.resume, max_seconds=options.max_seconds)
    losses = ", ".join(f"{name} {value:.4f}" for name, value in result.losses.items())
    print(f"{result.checkpoint}: step {result.steps} of {result.total_steps}, {result.seconds:.0f} s; {losses}")
