"""What a run holds in memory, and what changes while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from bev3d.config import Config
from bev3d.models import DetectionLoss, Detector, ModelInputs, build_detector
from bev3d.training._batch_norm import synchronise_batch_norm
from bev3d.training._ema import WeightAverage
from bev3d.training._precision import make_scaler
from bev3d.training._ranks import Ranks
from bev3d.training._sampler import Sampler

__all__ = ["TrainingState", "build_optimiser", "build_state"]

WARM_UP = 0.4  # share of the steps in which the rate rises


@dataclass(eq=False)
class TrainingState:
    """A run between two steps.

    Attributes:
        config: everything that shapes it.
        ranks: its processes.
        device: where this process computes.
        sampler: draws of the whole run.
        model: the detector.
        network: what a step calls: the detector, or it in torch's ``DistributedDataParallel``.
        loss: of the configuration.
        optimiser, scheduler, scaler: see :func:`build_optimiser` and :func:`bev3d.training._precision.make_scaler`.
        average: moving average of the weights; None where the configuration wants none.
        samples_per_step: over all processes and parts.
        total_steps: steps of the whole run.
        step: steps that were taken.
        skipped: those of them that overflowed in float16 and changed nothing.
        best: step and metrics of the best evaluation; empty before the first.
        whole: False while a step changes weights, when the state is that of no step.
    """

    config: Config
    ranks: Ranks
    device: torch.device
    sampler: Sampler
    model: Detector
    network: nn.Module
    loss: DetectionLoss
    optimiser: AdamW
    scheduler: OneCycleLR
    scaler: torch.amp.GradScaler
    average: WeightAverage | None
    samples_per_step: int
    total_steps: int
    step: int = 0
    skipped: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    whole: bool = True


def build_state(config: Config, ranks: Ranks, device: torch.device, sampler: Sampler) -> TrainingState:
    """A run before its first step."""
    samples = config.batch_size * config.accumulate * ranks.size
    steps = sampler.steps(config.epochs, samples)
    model = build_detector(config)
    if ranks.size > 1 and config.sync_batch_norm:
        synchronise_batch_norm(model, ranks.statistics)
    model = model.to(device).train()
    optimiser, scheduler = build_optimiser(model, config, steps)
    return TrainingState(
        config=config,
        ranks=ranks,
        device=device,
        sampler=sampler,
        model=model,
        network=_distribute(model, ranks, device),
        loss=DetectionLoss(config),
        optimiser=optimiser,
        scheduler=scheduler,
        scaler=make_scaler(config.precision, device),
        average=WeightAverage(model, config.ema_decay) if config.ema_decay else None,
        samples_per_step=samples,
        total_steps=steps,
    )


def build_optimiser(model: nn.Module, config: Config, steps: int) -> tuple[AdamW, OneCycleLR]:
    """AdamW under a one-cycle schedule over ``steps`` (Smith and Topin 2017, arXiv 1708.07120).

    The learning rate rises from a tenth of its peak and falls to nothing; the first beta runs against it,
    0.95 to 0.85 and back.
    """
    optimiser = AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
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


class _Network(nn.Module):
    """A model beside a parameter that nothing uses: torch looks for such ones, and warns where it finds none."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.unused = model, nn.Parameter(torch.zeros(1))

    def forward(self, inputs: ModelInputs) -> Any:
        return self.model(inputs)


def _distribute(model: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    if ranks.size == 1:
        return model
    from torch.nn.parallel import DistributedDataParallel

    ids = [device] if device.type == "cuda" else None
    # a network may pass by a part of itself where a rank has no points
    return DistributedDataParallel(_Network(model).to(device), device_ids=ids, find_unused_parameters=True)
