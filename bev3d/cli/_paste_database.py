"""``bev3d paste-database``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d._errors import ConfigError
from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Cut the objects of the training split out of their scenes, for training to paste; resumes where it stopped.

    Training does so itself where paste_counts asks for objects and the database is not there.
    """

    config: Path
    """Preset: a YAML file or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    out: Path | None = None
    """Folder to write; where training with this preset looks for it where none is given."""
    threads: int = 2
    """Threads that read samples."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "paste-database", argv)
    if options.threads < 1:
        raise ConfigError(f"--threads: expected at least 1, got {options.threads}")
    from bev3d.augment import build_database
    from bev3d.data import open_dataset
    from bev3d.training import database_folder

    dataset = open_dataset(config, options.dataroot, config.train_split)
    folder = options.out or database_folder(dataset, config)
    counts = build_database(dataset, folder, workers=options.threads)
    objects = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"{folder}: {sum(counts.values())} objects of {config.train_split}: {objects}")
