"""The steps of a run, one after the other, until it ends or is asked to."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import torch

from bev3d._errors import UserError
from bev3d.augment import ObjectPaste
from bev3d.data import Dataset
from bev3d.models import build_detector
from bev3d.training._batches import TrainingBatch, TrainingBatches, prefetch
from bev3d.training._evaluate import Evaluate
from bev3d.training._failures import SamplesNamed, memory_named
from bev3d.training._interrupt import Stop, TrainingInterrupted
from bev3d.training._log import TrainingProgress
from bev3d.training._record import Record
from bev3d.training._sampler import RankSampler
from bev3d.training._state import TrainingState
from bev3d.training._step import StepResult, take_step
from bev3d.training._watch import DUMP, DivergedError

__all__ = ["Run", "run_steps"]


@dataclass(eq=False)
class Run:
    """What the loop works with.

    Attributes:
        state: weights and all that goes with them.
        record: files.
        progress: what is shown.
        stop: signals.
        dataset: the samples of a pass.
        paste: what pastes objects into them.
        evaluate: see :func:`bev3d.training.train`; None where this process does not.
        deadline: of ``time.monotonic``; no step begins after it but the first.
    """

    state: TrainingState
    record: Record
    progress: TrainingProgress
    stop: Stop
    dataset: Dataset
    paste: ObjectPaste | None = None
    evaluate: Evaluate | None = None
    deadline: float | None = None


def run_steps(run: Run) -> None:
    """Take the steps that are left; the last one, and whatever ends the run before, writes a checkpoint."""
    state, first = run.state, run.state.step
    try:
        with closing(_batches(run)) as batches:
            while state.step < state.total_steps:
                begun = time.monotonic()
                late = run.deadline is not None and state.step > first and begun >= run.deadline
                if not _take(run, batches, begun, late):
                    break
                _close_step(run)
        if run.record.saved != state.step or run.stop.agreed:  # also before the first step: the message promises one
            run.record.save()
    except BaseException as error:
        run.record.rescue()
        if isinstance(error, DivergedError) and state.ranks.is_main:
            with suppress(OSError):
                error.write(run.record.out / DUMP)
        raise
    if run.stop.agreed:
        where = f"step {state.step} of {state.total_steps}; {run.record.out} keeps a checkpoint to go on from"
        raise TrainingInterrupted(run.stop.agreed, f"stopped after {where}")


def _batches(run: Run) -> Generator[TrainingBatch, None, None]:
    state, config = run.state, run.state.config
    sampler = RankSampler(state.sampler, rank=state.ranks.rank, ranks=state.ranks.size, batch_size=config.batch_size)
    last = state.total_steps * config.accumulate
    batches = TrainingBatches(run.dataset, sampler, config, run.paste, draws=last * config.batch_size)
    make = SamplesNamed(batches, run.dataset, sampler, config.batch_size)
    numbers = range(state.step * config.accumulate, last)
    yield from prefetch(make, numbers, workers=config.loader_workers, describe=make.describe)


def _take(run: Run, batches: Iterator[TrainingBatch], begun: float, late: bool) -> bool:
    """Take a step, unless some rank was asked to stop or ran out of time; an error of one rank ends all."""
    state, failure = run.state, None
    parts: list[TrainingBatch] = []
    with memory_named(state.config, state.device, state.step + 1):
        if not late and not run.stop.signum:
            try:
                parts = [next(batches) for _ in range(state.config.accumulate)]
            except Exception as error:
                failure = error
        waited = time.monotonic() - begun
        failed, late_somewhere, *signals = state.ranks.add([float(failure is not None), float(late), *run.stop.flags()])
        run.stop.decide(signals)
        if failure is not None:
            raise failure
        if failed:
            raise UserError(f"rank {state.ranks.rank}: another rank could not prepare its samples, and says why")
        if late_somewhere or run.stop.agreed:
            return False
        result = take_step(state, parts)
    _log(run, result, seconds=time.monotonic() - begun, waited=waited)
    return True


def _log(run: Run, result: StepResult, *, seconds: float, waited: float) -> None:
    state = run.state
    times: dict[str, Any] = {"samples": state.samples_per_step, "seconds": seconds, "waiting": waited}
    facts = {"learning_rate": state.optimiser.param_groups[0]["lr"], "gradient_norm": result.gradient_norm}
    if state.scaler.is_enabled():
        facts |= {"skipped": state.skipped, "loss_scale": state.scaler.get_scale()}
    run.record.losses.add(state.step, None if result.skipped else result.terms, **times, **facts)
    run.progress.update(state.step, {} if result.skipped else result.terms, **times)


def _close_step(run: Run) -> None:
    """Evaluate and write a checkpoint where this step is one for it."""
    state, config = run.state, run.state.config
    every = config.evaluate_every_steps
    if config.evaluate_every_epochs:
        every = state.sampler.steps(config.evaluate_every_epochs, state.samples_per_step)
    last = state.step == state.total_steps
    evaluating = bool(every) and (state.step % every == 0 or last)
    if evaluating and state.ranks.is_main and run.evaluate is not None:
        _evaluate(run, run.evaluate)
    if evaluating or last or state.step % config.checkpoint_every_steps == 0:
        run.record.save()


def _evaluate(run: Run, evaluate: Evaluate) -> None:
    state = run.state
    detector = build_detector(state.config).to(state.device)
    detector.load_state_dict(state.average.weights if state.average else state.model.state_dict())
    random = torch.get_rng_state()
    metrics = evaluate(detector.eval(), state.step)
    torch.set_rng_state(random)
    run.record.add_evaluation({name: value for name, value in metrics.items() if math.isfinite(value)})
    score = run.record.evaluations[-1].get("mean_ap")
    run.progress.note(f"step {state.step}: " + (f"mAP {score:.4f}" if score is not None else "evaluated"))
