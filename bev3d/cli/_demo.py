"""``bev3d demo``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """From nothing to a scored detector and its pictures, in a few minutes on a CPU; goes on where it was stopped."""

    out: Path = Path("demo")
    """Folder to write; about 1.5 GB."""
    train_scenes: int = 250
    """Synthetic training scenes, each another street, with two key frames."""
    val_scenes: int = 12
    """Synthetic validation scenes."""
    epochs: float | None = None
    """Passes over the training set; those of the preset where none is given."""
    seed: int = 0
    """Seed of the world and of the training."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "demo", argv)
    from bev3d.demo import run_demo

    run_demo(
        options.out,
        train_scenes=options.train_scenes,
        val_scenes=options.val_scenes,
        epochs=options.epochs,
        seed=options.seed,
    )
