"""``bev3d report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Write one page about a training run: scores, losses, pictures of targets and detections, a 3D viewer."""

    run: Path
    """Folder that `bev3d train` wrote."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """Folder for index.html and its pictures."""
    samples: int = 3
    """Validation samples to show."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "report", argv)
    from bev3d.report import write_report

    print(write_report(options.run, options.dataroot, options.out, samples=options.samples))
