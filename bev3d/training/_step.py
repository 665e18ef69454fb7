"""One step of training, and the watch over its losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from bev3d._errors import UserError
from bev3d.config import Config
from bev3d.models import DetectionLoss
from bev3d.training._batches import TrainingBatch
from bev3d.training._precision import Precision, half_precision

__all__ = ["DivergedError", "build_optimiser", "take_step"]

WARM_UP = 0.4  # share of the steps in which the rate rises


class DivergedError(UserError):
    """A loss or gradient that is no number."""


def build_optimiser(model: nn.Module, config: Config, steps: int) -> tuple[AdamW, OneCycleLR]:
    """AdamW under a one-cycle schedule over ``steps`` (Smith and Topin 2017, arXiv 1708.07120).

    The learning rate rises from a tenth of its peak and falls to nothing; the first beta runs against it,
    0.95 to 0.85 and back.
    """
    optimiser = AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = OneCycleLR(
        optimiser,
        max_lr=config.learning_rate,
        total_steps=max(steps, 2),
        pct_start=WARM_UP,
        div_factor=10.0,
        base_momentum=0.85,
        max_momentum=0.95,
    )
    return optimiser, schedule


def take_step(
    model: nn.Module,
    loss: DetectionLoss,
    batch: TrainingBatch,
    *,
    optimiser: Optimizer,
    scheduler: LRScheduler,
    gradient_clip: float,
    step: int,
    precision: Precision = "float32",
) -> dict[str, float]:
    """Forward, backward, clip, update.

    Returns:
        The terms by name and their weighted sum as ``total``.

    Raises:
        DivergedError: a term or the gradient is not finite; the weights are then those before the step.
    """
    with half_precision(precision):
        outputs = model(batch.inputs)
    total, terms, _ = loss(outputs, batch.targets)
    values = {"total": float(total.detach())}
    values |= {name.removeprefix("regression/"): float(value) for name, value in terms.items()}
    _check_finite(values, step, batch.tokens)
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), gradient_clip)
    _check_finite({"gradient": float(norm)}, step, batch.tokens)
    optimiser.step()
    scheduler.step()
    return values


def _check_finite(values: Mapping[str, float], step: int, tokens: Sequence[str]) -> None:
    bad = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value) and name != "total"]
    if not math.isfinite(values.get("total", 0.0)) and not bad:
        bad = [f"total = {values['total']}"]
    if bad:
        raise DivergedError(
            f"step {step}: expected finite losses, got {', '.join(bad)} for the samples {', '.join(tokens)}; "
            "look at their boxes, or lower the learning rate"
        )
