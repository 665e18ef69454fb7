"""A training run: from a configuration and a data set to a checkpoint, a log and a loss curve."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from bev3d.config import Config
from bev3d.data import Dataset, open_dataset
from bev3d.models import DetectionLoss, build_detector
from bev3d.training._batches import TrainingBatches, prefetch, prepare_samples
from bev3d.training._checkpoint import check_same_run, load_checkpoint, restore, save_checkpoint
from bev3d.training._log import LossLog, training_progress
from bev3d.training._plot import plot_losses
from bev3d.training._sampler import Sampler
from bev3d.training._step import build_optimiser, take_step

__all__ = ["CHECKPOINT", "LOG", "LOSS_CURVE", "TrainResult", "train"]

CHECKPOINT, LOG, LOSS_CURVE = "checkpoint.pt", "losses.jsonl", "loss.png"


@dataclass(frozen=True)
class TrainResult:
    """What a run left.

    Attributes:
        checkpoint: file with the weights.
        steps: steps taken so far, over all continuations.
        total_steps: steps of the whole run; more than ``steps`` where ``max_seconds`` ended it early.
        seconds: wall time of this call.
        losses: mean of every term over the last logged stretch, by name.
    """

    checkpoint: Path
    steps: int
    total_steps: int
    seconds: float
    losses: dict[str, float]


@dataclass(eq=False)
class _Run:
    """What changes while a run goes on."""

    config: Config
    out: Path
    sampler: Sampler
    model: nn.Module
    optimiser: Optimizer
    scheduler: LRScheduler
    total_steps: int
    step: int = 0

    def save(self, log: LossLog) -> None:
        log.write()
        save_checkpoint(
            self.out / CHECKPOINT,
            config=self.config,
            step=self.step,
            sampler=self.sampler,
            model=self.model,
            optimiser=self.optimiser,
            scheduler=self.scheduler,
        )


def train(
    config: Config,
    dataroot: str | Path,
    out: str | Path,
    *,
    resume: bool = True,
    max_seconds: float | None = None,
    dataset: Dataset | None = None,
) -> TrainResult:
    """Train the detector of ``config`` on ``config.train_split``.

    A run that was stopped, however, goes on from its last checkpoint in ``out`` and on a CPU, with the same number of
    threads, ends with the same weights, bit for bit, as one that was not. Samples are loaded by a thread meanwhile.
    For speed beside other work set ``OMP_WAIT_POLICY=PASSIVE`` before torch is imported (the command line does).

    Args:
        config: everything that shapes the run; the number of steps is ceil(epochs * samples / batch_size).
        dataroot: folder of the data set.
        out: folder for ``checkpoint.pt``, ``losses.jsonl`` and ``loss.png``.
        resume: go on from the checkpoint in ``out`` if there is one; else start anew and overwrite it.
        max_seconds: stop after the first step past this time, with a checkpoint to go on from.
        dataset: samples to train on in place of those under ``dataroot``.

    Raises:
        UserError: a checkpoint of another configuration or a damaged one; no samples; a loss that is no number.
    """
    start = time.monotonic()
    dataset = open_dataset(config, Path(dataroot), config.train_split) if dataset is None else dataset
    dataset, paste = prepare_samples(dataset, config)
    run = _prepare(config, Path(out), Sampler(len(dataset), config.seed))
    if resume and (run.out / CHECKPOINT).is_file():
        checkpoint = load_checkpoint(run.out / CHECKPOINT)
        check_same_run(checkpoint, config, run.sampler)
        restore(checkpoint, run.model, run.optimiser, run.scheduler)
        run.step = checkpoint.step
    log = LossLog(run.out / LOG, every=config.log_every_steps, resume_step=run.step, last_step=run.total_steps)
    deadline = None if max_seconds is None else start + max_seconds
    _loop(run, TrainingBatches(dataset, run.sampler, config, paste), log, deadline)
    plot_losses(log.rows, run.out / LOSS_CURVE)
    seconds = time.monotonic() - start
    losses = dict(log.rows[-1]["losses"]) if log.rows else {}
    return TrainResult(run.out / CHECKPOINT, run.step, run.total_steps, seconds, losses)


def _prepare(config: Config, out: Path, sampler: Sampler) -> _Run:
    steps = sampler.steps(config.epochs, config.batch_size)
    model = build_detector(config).train()
    optimiser, scheduler = build_optimiser(model, config, steps)
    return _Run(config, out, sampler, model, optimiser, scheduler, steps)


def _loop(run: _Run, batches: TrainingBatches, log: LossLog, deadline: float | None) -> None:
    """Take the steps that are left; the last one, and the one that meets the deadline, write a checkpoint."""
    config, loss = run.config, DetectionLoss(run.config)
    start, saved = time.monotonic(), run.step
    with training_progress(run.total_steps, run.step) as progress:
        steps = range(run.step, run.total_steps)
        for batch in prefetch(batches, steps, workers=config.loader_workers, describe=batches.describe):
            terms = take_step(
                run.model,
                loss,
                batch,
                optimiser=run.optimiser,
                scheduler=run.scheduler,
                gradient_clip=config.gradient_clip,
                step=run.step + 1,
                precision=config.precision,
            )
            run.step += 1
            facts = {
                "samples": run.step * config.batch_size,
                "seconds": round(time.monotonic() - start, 3),
                "learning_rate": run.optimiser.param_groups[0]["lr"],
            }
            log.add(run.step, terms, **facts)
            progress.update(run.step, terms)
            late = deadline is not None and time.monotonic() >= deadline
            if run.step % config.checkpoint_every_steps == 0 or run.step == run.total_steps or late:
                run.save(log)
                saved = run.step
            if late:
                break
    if saved != run.step:
        run.save(log)
