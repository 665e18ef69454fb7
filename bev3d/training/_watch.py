"""The watch over losses that are no numbers: which term, of which task, in which samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bev3d._errors import UserError
from bev3d._files import write_json
from bev3d.models import DetectionTargets
from bev3d.targets import Targets
from bev3d.training._batches import TrainingBatch
from bev3d.training._precision import Precision, half_precision
from bev3d.training._state import TrainingState

__all__ = ["DUMP", "DivergedError", "diverged", "finite_in_float32"]

DUMP = "diverged.json"
SHOWN = 8  # samples, parameters


class DivergedError(UserError):
    """A loss or gradient that is no number.

    Attributes:
        report: JSON values: step, terms, and by rank and part the samples, those of them whose outputs are not finite
            by themselves, and terms and tasks that are not finite.
    """

    def __init__(self, text: str, report: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.report = report

    def write(self, path: Any) -> None:
        """Write the report as JSON."""
        write_json(path, self.report)


def diverged(
    state: TrainingState, parts: Sequence[TrainingBatch], counts: Tensor, terms: Mapping[str, float], norm: float
) -> DivergedError:
    """The error of a step whose terms or gradient are not finite; every rank comes here, and gets the same."""
    step = state.step + 1
    own = {"rank": state.ranks.rank, "parts": [_blame(state, part, counts) for part in parts]}
    found = state.ranks.gather(own)
    blamed = [part for rank in found for part in rank["parts"] if part["losses"]]
    shown = blamed or [part for rank in found for part in rank["parts"]]
    bad = [f"{name} = {value}" for name, value in terms.items() if not math.isfinite(value) and name != "total"]
    if not bad and not math.isfinite(terms["total"]):
        bad = [f"total = {terms['total']}"]
    if not bad:
        bad = [f"gradient = {norm} ({', '.join(_bad_gradients(state)) or 'its norm'})"]
    tasks = list(dict.fromkeys(name for part in blamed for name in part["tasks"]))
    where = f" in the tasks {'; '.join(tasks)}" if tasks and len(state.config.tasks) > 1 else ""
    tokens = [token for part in shown for token in part["suspects"] or part["tokens"]]
    named = ", ".join(tokens[:SHOWN]) + (f" and {len(tokens) - SHOWN} more" if len(tokens) > SHOWN else "")
    report = {
        "step": step,
        "losses": {name: str(value) for name, value in terms.items()},
        "gradient_norm": str(norm),
        "ranks": found,
    }
    return DivergedError(
        f"step {step}: expected finite losses, got {', '.join(bad)}{where} for the samples {named}; "
        "look at their boxes, or lower the learning rate",
        report,
    )


def finite_in_float32(state: TrainingState, parts: Sequence[TrainingBatch], counts: Tensor) -> bool:
    """Whether the losses are finite in float32, on all ranks."""
    bad = any(_losses(state, part, counts, "float32")[0] for part in parts)
    return not state.ranks.add([float(bad)])[0]


@torch.no_grad()
def _blame(state: TrainingState, part: TrainingBatch, counts: Tensor) -> dict[str, Any]:
    losses, tasks = _losses(state, part, counts, state.config.precision)
    suspects = _suspects(state, part) if losses else []
    return {"tokens": list(part.tokens), "suspects": suspects, "losses": losses, "tasks": tasks}


def _suspects(state: TrainingState, part: TrainingBatch) -> list[str]:
    """Samples whose outputs are not finite under the running statistics, which no other sample of the batch touches."""
    state.model.eval()
    with half_precision(state.config.precision, state.device):
        outputs = state.model(part.inputs.to(state.device))
    state.model.train()
    maps = [values for task in outputs for values in task.values() if len(values) == len(part.tokens)]
    return [token for b, token in enumerate(part.tokens) if not all(bool(one[b].isfinite().all()) for one in maps)]


@torch.no_grad()
def _losses(
    state: TrainingState, part: TrainingBatch, counts: Tensor, precision: Precision
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Terms that are not finite, and their names by task; takes the step's forward again and leaves no trace."""
    buffers = [(buffer, buffer.clone()) for buffer in state.model.buffers()]
    with half_precision(precision, state.device):
        outputs = state.model(part.inputs.to(state.device))
    for buffer, value in buffers:
        buffer.copy_(value)
    targets = part.targets.to(state.device)
    losses = _not_finite(state, outputs, targets, counts)
    tasks: dict[str, list[str]] = {}
    if losses and isinstance(targets, Targets) and len(outputs) == len(targets.tasks):
        for t, names in enumerate(state.config.tasks):
            one = Targets((targets.tasks[t],), targets.dropped)
            bad = _not_finite(state, [outputs[t]], one, counts[t : t + 1])
            if bad:
                tasks[", ".join(names)] = list(bad)
    return losses, tasks


def _not_finite(state: TrainingState, outputs: Any, targets: DetectionTargets, counts: Tensor) -> dict[str, str]:
    total, terms, _ = state.loss(outputs, targets, counts=counts)
    values = {name.removeprefix("regression/"): float(value) for name, value in terms.items()}
    bad = {name: str(value) for name, value in values.items() if not math.isfinite(value)}
    return bad or ({} if math.isfinite(float(total)) else {"total": str(float(total))})


def _bad_gradients(state: TrainingState) -> list[str]:
    parameters = [(name, one.grad) for name, one in state.model.named_parameters() if one.grad is not None]
    return [name for name, gradient in parameters if not bool(gradient.isfinite().all())][:SHOWN]
