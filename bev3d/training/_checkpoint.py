"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bev3d import __version__
from bev3d._errors import ConfigError, DataFormatError, UserError
from bev3d._files import atomic_path
from bev3d.config import Config, config_from_mapping
from bev3d.config._fields import PredictConfig
from bev3d.training._state import TrainingState

__all__ = ["Checkpoint", "check_same_run", "load_checkpoint", "restore", "save_checkpoint"]

FORMAT = "bev3d checkpoint 2"
KEYS = {"format", "version", "config", "step", "skipped", "best", "sampler", "model", "ema", "optimiser", "scheduler"}
KEYS |= {"scaler", "random", "log"}
DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Config) if field.default is not dataclasses.MISSING
}
# what may differ between a run and its continuation: none of it changes the weights by more than rounding
FREE = {field.name for field in dataclasses.fields(PredictConfig)}
FREE |= {"checkpoint_every_steps", "log_every_steps", "val_split", "device", "rank_timeout_s", "tensorboard"}
FREE |= {"loader_workers", "paste_database", "sparse_backend"}
FREE |= {"evaluate_every_steps", "evaluate_every_epochs", "evaluate_samples"}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint as it was read.

    Attributes:
        path: its file.
        config: the run's configuration.
        step: steps that were taken.
        state: states of model, average, optimiser, scheduler, scaler, log and random generators, by name.
    """

    path: Path
    config: Config
    step: int
    state: dict[str, Any]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights to predict with: the moving average where the run kept one."""
        average = self.state["ema"]
        return dict(self.state["model"] if average is None else average["weights"])


def save_checkpoint(path: Path, state: TrainingState, log: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: a run that is killed while it writes keeps the previous one.

    Args:
        path: the file.
        state: between two steps.
        log: what the log keeps of an unfinished stretch of steps.

    Raises:
        UserError: the file cannot be written, as on a full disk; the previous one is kept.
    """
    sampler = state.sampler
    position = state.step * state.samples_per_step
    content = {
        "format": FORMAT,
        "version": __version__,
        "config": dataclasses.asdict(state.config),
        "step": state.step,
        "skipped": state.skipped,
        "best": state.best,
        "sampler": {"position": position, "length": sampler.length, "seed": sampler.seed},
        "model": state.model.state_dict(),
        "ema": state.average.state_dict() if state.average else None,
        "optimiser": state.optimiser.state_dict(),
        "scheduler": state.scheduler.state_dict(),
        "scaler": state.scaler.state_dict() if state.scaler.is_enabled() else None,
        "random": torch.get_rng_state(),
        "log": dict(log),
    }
    try:
        with atomic_path(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
        kept = "the previous one is kept" if path.is_file() else "there is none before it"
        first = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{path}: the checkpoint of step {state.step} could not be written ({first}); {kept}; "
            "free space there, or train into another folder"
        ) from error


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without executing anything that it holds.

    Raises:
        FileNotFoundError: no such file.
        DataFormatError: the file is damaged or no checkpoint of bev3d.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a checkpoint, found no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and tensor readers raise many kinds for a damaged file
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        message = f"{path}: expected a checkpoint of bev3d, got a file that cannot be read as one"
        raise DataFormatError(f"{message} ({type(error).__name__}: {first[:120]})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or set(content) != KEYS:
        marked = content.get("format") if isinstance(content, dict) else None
        got = repr(marked) if isinstance(marked, str) and marked != FORMAT else "something else"
        raise DataFormatError(f"{path}: expected a file marked '{FORMAT}', got {got}")
    try:
        # a setting that came after the checkpoint was written has a default, which is what was done before
        config = config_from_mapping({**DEFAULTS, **content["config"]})
    except ConfigError as error:
        raise DataFormatError(f"{path}: its configuration is not one of this version: {error}") from error
    return Checkpoint(path, config, int(content["step"]), content)


def check_same_run(checkpoint: Checkpoint, state: TrainingState) -> None:
    """Raise unless a run continues the checkpoint's.

    Raises:
        UserError: a setting differs that changes the weights, the data set has another length, or other processes
            take more or fewer samples a step.
    """
    length, expected = checkpoint.state["sampler"]["length"], f"{checkpoint.path}: expected"
    advice = "train into another folder, or start anew without resuming"
    if length != state.sampler.length:
        got = f"got one of {state.sampler.length}"
        raise UserError(f"{expected} the data set of the checkpoint ({length} samples), {got}; {advice}")
    before, now = dataclasses.asdict(checkpoint.config), dataclasses.asdict(state.config)
    differ = [key for key in now if key not in FREE and now[key] != before[key]]
    if differ:
        shown = "; ".join(f"{key}: checkpoint {before[key]}, now {now[key]}" for key in differ[:4])
        raise UserError(
            f"{expected} a checkpoint of the same configuration, but {len(differ)} settings differ ({shown}); {advice}"
        )
    position = checkpoint.state["sampler"]["position"]
    if position != checkpoint.step * state.samples_per_step:
        processes = position // max(checkpoint.step, 1) // (state.samples_per_step // state.ranks.size)
        raise UserError(f"{expected} {processes} processes as before, got {state.ranks.size}; {advice}")


def restore(checkpoint: Checkpoint, state: TrainingState) -> None:
    """Put a run back to where the checkpoint was written."""
    content = checkpoint.state
    state.model.load_state_dict(content["model"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.scheduler.load_state_dict(content["scheduler"])
    if state.average is not None:
        state.average.load_state_dict(content["ema"])
    if state.scaler.is_enabled() and content["scaler"] is not None:
        state.scaler.load_state_dict(content["scaler"])
    torch.set_rng_state(content["random"])
    state.step, state.skipped, state.best = checkpoint.step, int(content["skipped"]), dict(content["best"])
