"""``bev3d targets``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bev3d._errors import ConfigError
from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Write heatmap and regression targets of a data set, one npz a sample and a manifest; resumes where it stopped."""

    config: Path
    """Preset: a YAML file or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """Folder to write."""
    split: str | None = None
    """Split; the preset's training split where none is given."""
    executor: Literal["sequential", "process", "ray"] = "sequential"
    """What does the work."""
    workers: int = 2
    """Processes."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "targets", argv)
    if options.workers < 1:
        raise ConfigError(f"--workers: expected at least 1, got {options.workers}")
    from bev3d.jobs import generate_targets

    manifest = generate_targets(
        config,
        options.dataroot,
        options.out,
        split=options.split,
        executor=options.executor,
        workers=options.workers,
    )
    total = manifest["total"]
    dropped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in total["dropped"].items())
    samples = len(manifest["tokens"])
    print(f"{options.out}: {samples} samples, {total['boxes']} boxes: {total['assigned']} with a target, {dropped}")
