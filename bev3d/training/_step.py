"""One step of training: forward, backward, clip, update."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bev3d.training._batches import TrainingBatch
from bev3d.training._precision import half_precision
from bev3d.training._sampler import step_seed
from bev3d.training._state import TrainingState
from bev3d.training._watch import diverged, finite_in_float32

__all__ = ["StepResult", "take_step"]

SMALLEST_SCALE = 2.0**-10  # of the loss in float16: a network that overflows even then will not recover


@dataclass(frozen=True)
class StepResult:
    """What a step tells.

    Attributes:
        terms: loss terms by name, and their weighted sum as ``total``: means over parts and processes.
        gradient_norm: before it is clipped.
        skipped: whether float16 overflowed, and nothing was changed.
    """

    terms: dict[str, float]
    gradient_norm: float
    skipped: bool = False


def take_step(state: TrainingState, parts: Sequence[TrainingBatch]) -> StepResult:
    """Take one step; the gradient is that of the loss over all parts and processes together.

    Every sum is divided by the number of objects in all of them, so that one process with a batch as large has the
    same loss; what normalises by the batch itself, as batch norm does, sees a part at a time.

    Args:
        state: changed in place; ``step`` counts up.
        parts: ``config.accumulate`` batches of this process.

    Raises:
        DivergedError: a term or the gradient is not finite; weights and statistics are then those before the step.
    """
    config, model = state.config, state.model
    torch.manual_seed(step_seed(config.seed, state.step, state.ranks.rank))
    counts = _counts(state, parts)
    with _statistics_kept(model) as put_back:
        names, sums = _backward(state, parts, counts)
        state.scaler.unscale_(state.optimiser)
        norm = _gradient_norm(model)
        *local, gradient_norm = torch.stack([*(sums / len(parts)), norm]).tolist()  # the only wait for the device
        terms = dict(zip(names, (value / state.ranks.size for value in state.ranks.add(local)), strict=True))
        lost = not all(map(math.isfinite, terms.values()))
        if lost or not math.isfinite(gradient_norm):
            put_back()
            if not _overflowed(state, parts, counts, lost):
                raise diverged(state, parts, counts, terms, gradient_norm)
            state.scaler.update(state.scaler.get_scale() * state.scaler.get_backoff_factor())
            state.step += 1
            state.skipped += 1
            return StepResult(terms, gradient_norm, skipped=True)
    _update(state)
    return StepResult(terms, gradient_norm)


def _counts(state: TrainingState, parts: Sequence[TrainingBatch]) -> Tensor:
    """(T,) what a part's sums are divided by, for the mean over parts and ranks to be the loss of all together."""
    counts = torch.stack([state.loss.counts(part.targets) for part in parts]).sum(0)
    total = torch.tensor(state.ranks.add(counts.tolist()), dtype=torch.float32)
    return total.clamp(min=1) / (len(parts) * state.ranks.size)


def _backward(state: TrainingState, parts: Sequence[TrainingBatch], counts: Tensor) -> tuple[list[str], Tensor]:
    """Fill the gradients; returns the names of the terms and their sums over the parts, on the device."""
    state.optimiser.zero_grad(set_to_none=True)
    names: list[str] = []
    sums = torch.zeros((), device=state.device)
    for i, part in enumerate(parts):
        with _together(state, last=i == len(parts) - 1):
            with half_precision(state.config.precision, state.device):
                outputs = state.network(part.inputs.to(state.device, non_blocking=True))
            targets = part.targets.to(state.device, non_blocking=True)
            total, terms, _ = state.loss(outputs, targets, counts=counts)
            state.scaler.scale(total / len(parts)).backward()
        names = ["total", *(name.removeprefix("regression/") for name in terms)]
        sums = sums + torch.stack([total.detach(), *terms.values()])
    return names, sums


def _gradient_norm(model: nn.Module) -> Tensor:
    """0-dim; clipping would give it too, but spoils what it clips where the norm is not finite."""
    norms = [parameter.grad.norm() for parameter in model.parameters() if parameter.grad is not None]
    return torch.stack(norms).norm()


def _together(state: TrainingState, *, last: bool) -> AbstractContextManager[None]:
    """The ranks average their gradients in the last part alone."""
    return nullcontext() if last or state.network is state.model else state.network.no_sync()  # type: ignore[operator]


def _overflowed(state: TrainingState, parts: Sequence[TrainingBatch], counts: Tensor, lost: bool) -> bool:
    """Whether a number that is not finite is float16's fault."""
    if not state.scaler.is_enabled() or state.scaler.get_scale() < SMALLEST_SCALE:
        return False
    return not lost or finite_in_float32(state, parts, counts)


def _update(state: TrainingState) -> None:
    state.whole = False
    nn.utils.clip_grad_norm_(state.model.parameters(), state.config.gradient_clip)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    state.scheduler.step()
    if state.average is not None:
        state.average.update(state.model)
    state.step += 1
    state.whole = True


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[Callable[[], None]]:
    """Yields what puts the buffers back to where they were, which an error does too."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]

    def put_back() -> None:
        for buffer, value in before:
            buffer.copy_(value)

    try:
        yield put_back
    except BaseException:
        put_back()
        raise
