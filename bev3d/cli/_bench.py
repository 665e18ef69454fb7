"""``bev3d bench``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Time the kernels beside shapely, NumPy and plain torch, each contestant in turn on the same input."""

    out: Path = Path("docs")
    """Folder for benchmarks.md and benchmarks.json."""
    repeats: int = 15
    """Timed runs of each contestant."""
    threads: int = 1
    """Threads that the kernels and torch may use."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "bench", argv)
    from bev3d.bench import run_benchmarks

    run_benchmarks(options.out, repeats=options.repeats, threads=options.threads)
