"""``bev3d ablate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Train and score variants of a preset over several seeds: what a loss, a head or an augmentation is worth."""

    config: Path
    """Preset that the variants change."""
    variants: Path
    """YAML file: names of variants, each with its settings; or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """Folder for ablation.md, its numbers and picture, and the runs."""
    seeds: int = 3
    """Runs a variant, with seeds from the preset's own upwards."""
    workers: int = 1
    """Runs at a time; each has its share of the threads."""
    title: str = "Ablation"
    """Title of the page."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "ablate", argv)
    from bev3d._errors import UserError
    from bev3d.ablation import ablate, read_variants

    if options.seeds < 1:
        raise UserError(f"seeds: expected at least 1, got {options.seeds}")
    variants = read_variants(options.variants, config)
    seeds = range(config.seed, config.seed + options.seeds)
    ablate(variants, options.dataroot, options.out, seeds=seeds, workers=options.workers, title=options.title)
    print((options.out / "ablation.md").read_text(encoding="utf-8"))
