"""``bev3d bench``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Time every operation beside its peers, each contestant in turn on the same input; about five minutes."""

    out: Path | None = None
    """Folder for benchmarks.md, benchmarks.json and figures. Default: docs for a whole run; else nothing is written."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where: the page keeps a section for the CPU and one for each GPU."""
    only: tuple[str, ...] = ()
    """Cases whose name contains one of these words; a wrong one lists them all."""
    quick: bool = False
    """Tiny sizes and two turns: tries everything, measures nothing."""
    repeats: int = 15
    """Turns of each contestant."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "bench", argv)
    whole = not options.only and not options.quick
    out = options.out or (Path("docs") if whole else None)
    if options.device == "cuda":
        from bev3d.bench.cuda import run_cuda

        run_cuda(out, repeats=options.repeats, quick=options.quick, only=options.only)
    else:
        from bev3d.bench._run import run_benchmarks

        run_benchmarks(out, repeats=options.repeats, quick=options.quick, only=options.only)
