"""Numbers as a page and as JSON, with what they depend on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from bev3d.bench._race import Timing

__all__ = ["machine", "page", "table"]


def machine(threads: int) -> dict[str, Any]:
    """What the numbers depend on."""
    import shapely

    versions = {module.__name__: module.__version__ for module in (np, torch, numba, shapely)}
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "geos": shapely.geos_version_string,
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(timings: list[Timing]) -> str:
    """Markdown, a row for each contestant."""
    rows = ["| case | contestant | median | quartiles | each |", "|---|---|---|---|---|"]
    for timing in timings:
        each = timing.median_ms * 1e6 / timing.items
        quartiles = f"{timing.lower_quartile_ms:.2f} to {timing.upper_quartile_ms:.2f} ms"
        article = "an" if timing.unit[0] in "aeiou" else "a"
        name = f"{each:,.1f} ns {article} {timing.unit}"
        rows.append(f"| {timing.case} | {timing.contestant} | {timing.median_ms:.2f} ms | {quartiles} | {name} |")
    return "\n".join(rows)


def page(facts_: dict[str, Any], timings: list[Timing]) -> str:
    """The page of the table."""
    facts = ", ".join(f"{key} {value}" for key, value in facts_.items())
    return f"""# Benchmarks

Written by `bev3d bench`; the numbers are in `benchmarks.json`. Contestants of a case get the same boxes,
have to give the same answer before they are timed, and take turns. The first call, which compiles, is not timed.

Machine: {facts}.

Taking turns empties the caches between runs, as other work would; a case with one contestant keeps them warm. A shared
machine is noisy: where the load average exceeds the cores, the quartiles say more than the median, and only the ratios
between contestants of one case carry over. Nothing here was measured on a GPU.

{table(timings)}

What to read from it: plain torch is what runs where a gradient is tracked, and on a GPU; it allocates some sixty
temporaries and is far from the compiled kernel. Shapely answers the same on these boxes, but see the oracle's tests
for pairs that share edges. What the demo and a training run take and score: training.md.
"""
