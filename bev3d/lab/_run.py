"""Every loss, and what is written of it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bev3d._errors import UserError
from bev3d._files import write_json, write_text
from bev3d._progress import track
from bev3d.jobs import ExecutorKind, make_executor
from bev3d.lab._convergence_figure import convergence_figure
from bev3d.lab._field_figure import field_figure
from bev3d.lab._losses import LabLoss, absent_losses, all_losses, choose_losses
from bev3d.lab._page import page, ranking_table
from bev3d.lab._starts import KINDS
from bev3d.lab._study import RATES, Plan, study
from bev3d.viz import save_figure

__all__ = ["run_lab"]

STEPS, QUICK_STEPS = 200, 60
DIGITS, PLANE_DIGITS = 4, 2
PLANES = ("place", "size")


def run_lab(
    out: Path,
    *,
    quick: bool = False,
    steps: int | None = None,
    seed: int = 0,
    losses: Sequence[str] = (),
    workers: int = 2,
) -> dict[str, Any]:
    """Descend every loss from every start, print the ranking, and write page, numbers and pictures.

    Args:
        out: folder of ``lab.md``, ``lab/lab.json``, ``lab/convergence.png`` and ``lab/gradients.png``.
        quick: few starts, in seconds.
        steps: of gradient descent; None: 200, or 60 for a quick run.
        seed: of the starts. The same seed gives the same files.
        losses: names; empty: all.
        workers: processes; 1: none beside this one.

    Returns:
        what ``lab.json`` has.

    Raises:
        UserError: fewer than 10 steps, a negative seed, no worker, an unknown loss, ``out`` is a file.
    """
    steps = (QUICK_STEPS if quick else STEPS) if steps is None else steps
    _check(out, steps, seed, workers)
    start = time.perf_counter()
    chosen = choose_losses(losses)
    plan = Plan.quick(steps) if quick else Plan(steps=steps)
    kind: ExecutorKind = "sequential" if workers == 1 or quick else "process"
    with _one_thread():
        work = make_executor(kind, workers).run(all_losses, partial(_study, plan=plan, seed=seed), list(chosen))
        found = dict(track(work, "laboratory", total=len(chosen), unit="losses"))
    result: dict[str, Any] = {
        "quick": quick,
        "steps": steps,
        "seed": seed,
        "rates": list(RATES),
        "kinds": dict(KINDS),
        "absent": absent_losses(),
        "losses": {name: _compact(found[name]) for name in chosen},
    }
    write_json(out / "lab" / "lab.json", result, indent=None)
    save_figure(convergence_figure(result["losses"]), out / "lab" / "convergence.png")
    save_figure(field_figure(result["losses"]), out / "lab" / "gradients.png")
    write_text(out / "lab.md", page(result))
    _report(result, out, time.perf_counter() - start)
    return result


def _check(out: Path, steps: int, seed: int, workers: int) -> None:
    if steps < 10:
        raise UserError(f"steps: expected at least 10, got {steps}")
    if seed < 0:
        raise UserError(f"seed: expected at least 0, got {seed}")
    if workers < 1:
        raise UserError(f"workers: expected at least 1, got {workers}")
    if out.exists() and not out.is_dir():
        raise UserError(f"out: expected a folder, but {out} is a file")


def _study(losses: dict[str, LabLoss], name: str, *, plan: Plan, seed: int) -> tuple[str, dict[str, Any]]:
    return name, study(losses[name], plan, seed)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The tensors are small, and sums in another order would change the last digits of the files."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compact(record: dict[str, Any]) -> dict[str, Any]:
    """Four digits; two in the planes of the gradient fields, which are most of the numbers and only a picture."""
    fields = {
        name: _rounded(field, PLANE_DIGITS if name in PLANES else DIGITS) for name, field in record["fields"].items()
    }
    return {**_rounded(record, DIGITS), "fields": fields}


def _rounded(value: Any, digits: int) -> Any:
    """Plain values with so many significant digits; what is not finite becomes None, as JSON needs."""
    if isinstance(value, dict):
        return {key: _rounded(part, digits) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part, digits) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def _report(result: dict[str, Any], out: Path, seconds: float) -> None:
    print(ranking_table(result["losses"]))
    print(f"\n{out / 'lab.md'}, {out / 'lab'}")
    if result["absent"]:
        print(f"not in bev3d.losses: {', '.join(result['absent'])}", file=sys.stderr)
    print(f"{len(result['losses'])} losses in {seconds:.0f} s", file=sys.stderr)
