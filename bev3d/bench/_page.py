"""docs/benchmarks.md, written anew from docs/benchmarks.json whenever one of its sections changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bev3d._files import write_json, write_text
from bev3d.bench._tables import accuracy_table, case_tables, losses, thread_ceilings, verdict_table

__all__ = ["FIGURES", "keep_section", "page"]

# file below docs/benchmarks: what it shows
FIGURES = {
    "boxes.png": "Time against the number of boxes, points or pairs; one thread, logarithmic axes",
    "grids.png": "Time against the size of the map, the cloud or the number of objects; one thread, logarithmic axes",
}

_INTRO = """# Benchmarks

Written by `bev3d bench`, none of it by hand; every number is in `benchmarks.json`. The contestants of a case get the
same input and take turns, so that all see the same weather. Before each turn a contestant that takes less than 50 ms
runs once untimed: the others have emptied the caches. First calls, which compile, are not timed. Times are medians of
whole calls of the public functions, with their checks and the memory that they allocate; *quartiles* say how far the
machine let them spread. *Against the first* divides by our first row: 2x took twice as long.
"""

_CPU = """
## On the CPU

{quick}{machine}.

Packages beside ours: {packages}. {own}

### What was asked

{verdicts}

{ceilings}

### Who is right

{accuracy}

The sets are identical, nearly identical, touching, contained, far, tiny and degenerate boxes: what a trained detector
gives, and what kernels with tolerances get wrong. The truth is polygon clipping in float64, which agrees with
arithmetic of 60 digits.

### How cost grows

{figures}

### Where another is faster

{losses}

{skipped}## All times on the CPU

{cases}
"""

_QUICK = "**A quick run, which tries everything on tiny sizes: its numbers say nothing.**\n\n"

_OWN = """*Usual kernel* is our restatement of what most detectors ship (crossings of edges, corners inside, sorted by
angle, fan of triangles), *loop* one of their loops, *eager torch* the formula written in tensor operations."""


def keep_section(out: Path, name: str, section: dict[str, Any]) -> dict[str, Any]:
    """Put a section into ``out/benchmarks.json`` beside the others, and write ``out/benchmarks.md`` from all."""
    path = out / "benchmarks.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {}
    sections = {key: value for key, value in kept.items() if key == "cpu" or key.startswith("cuda")}
    sections[name] = section
    write_json(path, dict(sorted(sections.items(), key=lambda item: item[0] != "cpu")))
    write_text(out / "benchmarks.md", page(sections, out))
    return sections


def page(sections: dict[str, Any], out: Path) -> str:
    """The page of all sections; figures are shown where their files are there."""
    parts = [_INTRO]
    if "cpu" in sections:
        parts.append(_cpu(sections["cpu"], out))
    on_gpu = [section for name, section in sections.items() if name.startswith("cuda")]
    parts += [_cuda(section) for section in on_gpu]
    if not on_gpu:
        parts.append("\n## On a GPU\n\nNot measured yet: `bev3d bench --device cuda` on a machine that has one.\n")
    return "".join(parts)


def _facts(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())


def _cpu(section: dict[str, Any], out: Path) -> str:
    shown = [f"![{text}](benchmarks/{name})" for name, text in FIGURES.items() if (out / "benchmarks" / name).is_file()]
    skipped = [f"{name} ({reason})" for name, reason in section["skipped"].items()]
    return _CPU.format(
        quick=_QUICK if section["quick"] else "",
        machine=_facts(section["machine"]),
        packages=_facts(section["packages"]),
        own=_OWN,
        verdicts=verdict_table(section["verdicts"]),
        ceilings=thread_ceilings(section["cases"]),
        accuracy=accuracy_table(section["accuracy"]),
        figures="\n\n".join(shown) or "No figures in this run.",
        losses=losses(section["cases"]),
        skipped=f"Not run: {'; '.join(skipped)}.\n\n" if skipped else "",
        cases=case_tables(section["cases"]),
    )


def _cuda(section: dict[str, Any]) -> str:
    skipped = [f"{name} ({reason})" for name, reason in section["skipped"].items()]
    return f"""
## On {section["machine"].get("gpu", "a GPU")}

{_QUICK if section["quick"] else ""}{_facts(section["machine"])}. {_facts(section["floors"])}.

{section["method"]}

### What was asked of the GPU

{verdict_table(section["verdicts"])}

### Where another is faster on the GPU

{losses(section["cases"])}

{"Not run: " + "; ".join(skipped) + "." if skipped else ""}

### All times on the GPU

{case_tables(section["cases"])}
"""
