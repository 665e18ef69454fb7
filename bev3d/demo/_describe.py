"""What the demo adds to the report of its run: limits, targets by class, times, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bev3d.evaluation import NuScenesResult
from bev3d.viz import Page

__all__ = ["account", "explain_score"]

MEANING = "Synthetic AP shows that the whole pipeline learns; it says nothing about real nuScenes."
LIMITS = (
    "Large vehicles are often half hidden and taken for each other; two-wheelers return few points in cells of 0.4 m "
    "and look alike; velocity is learned last, and the heading of what is nearly symmetric from above stays a guess. "
    "More training (--epochs) lifts most of them."
)


def explain_score(page: Page, result: NuScenesResult) -> None:
    """Say what the score is worth and what limits it."""
    page.section("What the score means", MEANING).text(f"{_lowest(result)} {LIMITS}")


def account(page: Page, manifest: Mapping[str, Any], seconds: Mapping[str, float], out: Path) -> None:
    """Add where every box, second and megabyte went."""
    page.section("Where every box went", "Targets of the training split, as `bev3d targets` writes them.")
    rows = [_counts(name.replace("_", " "), counts) for name, counts in manifest["classes"].items()]
    rows.append(_counts("all", manifest["total"]))
    page.table(("class", "boxes", "with target", "dropped", "why", "shared cell"), rows)
    total = sum(seconds.values())
    page.section("Time and space", "Wall time of each step when it did its work, compilation of the kernels included.")
    page.table(("step", "seconds"), [(name, round(took)) for name, took in (*seconds.items(), ("all", total))])
    sizes = [(folder.name, round(_megabytes(folder))) for folder in sorted(out.iterdir()) if folder.is_dir()]
    page.table(("folder", "MB"), sizes)


def _lowest(result: NuScenesResult) -> str:
    """The classes that lose most, in a sentence."""
    by_ap = sorted((result.per_class[name].ap, name) for name in result.present_classes)
    words = [f"{name.replace('_', ' ')} {ap:.2f}" for ap, name in by_ap[:3]]
    turned = sorted(
        (-one.tp_errors["orient_err"], name) for name, one in result.per_class.items() if one.num_ground_truth
    )
    worst = [f"{name.replace('_', ' ')} {-error:.1f} rad" for error, name in turned if error == error][:2]
    return f"What limits the rest: lowest are {', '.join(words)}; the heading is worst for {' and '.join(worst)}."


def _counts(name: str, counts: Mapping[str, Any]) -> tuple[object, ...]:
    dropped = counts["dropped"]
    why = ", ".join(f"{reason.replace('_', ' ')} {number}" for reason, number in dropped.items()) or "–"
    return (name, counts["boxes"], counts["assigned"], sum(dropped.values()), why, counts["collisions"])


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
