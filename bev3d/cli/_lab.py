"""``bev3d lab``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Which loss should a box be trained with? Boxes from many starts go down every loss; about a minute."""

    out: Path
    """Folder for lab.md, and lab/ with pictures and numbers."""
    losses: tuple[str, ...] = ()
    """Names of losses, such as iou gwd corner; a wrong one lists them all. Default: all."""
    quick: bool = False
    """Few starts: tries everything in seconds, measures little."""
    steps: int | None = None
    """Steps of gradient descent. Default: 200, as the DIoU paper; 60 for a quick run."""
    seed: int = 0
    """Seed of the starts; the same seed gives the same files."""
    workers: int = 2
    """Processes; a quick run needs none."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "lab", argv)
    from bev3d.lab import run_lab

    run_lab(
        options.out,
        quick=options.quick,
        steps=options.steps,
        seed=options.seed,
        losses=options.losses,
        workers=options.workers,
    )
