"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from bev3d import __version__
from bev3d._errors import ConfigError, DataFormatError, UserError
from bev3d._files import atomic_path
from bev3d.config import Config, config_from_mapping
from bev3d.config._fields import PredictConfig
from bev3d.training._sampler import Sampler

__all__ = ["Checkpoint", "check_same_run", "load_checkpoint", "restore", "save_checkpoint"]

FORMAT = "bev3d checkpoint 1"
KEYS = {"format", "version", "config", "step", "sampler", "model", "optimiser", "scheduler", "scaler", "random"}
# what may differ between a run and its continuation: none of it changes the weights
FREE = {field.name for field in dataclasses.fields(PredictConfig)}
FREE |= {"checkpoint_every_steps", "log_every_steps", "val_split", "loader_workers", "paste_database"}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint as it was read.

    Attributes:
        path: its file.
        config: the run's configuration.
        step: steps that were taken.
        state: states of model, optimiser, scheduler and random generators, by name.
    """

    path: Path
    config: Config
    step: int
    state: dict[str, Any]


def save_checkpoint(
    path: Path,
    *,
    config: Config,
    step: int,
    sampler: Sampler,
    model: nn.Module,
    optimiser: Optimizer,
    scheduler: LRScheduler,
) -> None:
    """Write a checkpoint atomically: a run that is killed while it writes keeps the previous one."""
    content = {
        "format": FORMAT,
        "version": __version__,
        "config": dataclasses.asdict(config),
        "step": step,
        "sampler": {"position": step * config.batch_size, "length": sampler.length, "seed": sampler.seed},
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "scheduler": scheduler.state_dict(),
        "scaler": None,  # nothing here trains in float16
        "random": torch.get_rng_state(),
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


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
        raise DataFormatError(f"{path}: expected a file marked '{FORMAT}', got something else")
    try:
        config = config_from_mapping(content["config"])
    except ConfigError as error:
        raise DataFormatError(f"{path}: its configuration is not one of this version: {error}") from error
    return Checkpoint(path, config, int(content["step"]), content)


def check_same_run(checkpoint: Checkpoint, config: Config, sampler: Sampler) -> None:
    """Raise unless ``config`` and the data continue the checkpoint's run.

    Raises:
        UserError: a setting differs that changes the weights, or the data set has another length.
    """
    length = checkpoint.state["sampler"]["length"]
    if length != sampler.length:
        raise UserError(
            f"{checkpoint.path}: expected the data set of the checkpoint ({length} samples), "
            f"got one of {sampler.length}; train into another folder, or start anew without resuming"
        )
    before, now = dataclasses.asdict(checkpoint.config), dataclasses.asdict(config)
    differ = [key for key in now if key not in FREE and now[key] != before[key]]
    if differ:
        shown = "; ".join(f"{key}: checkpoint {before[key]}, now {now[key]}" for key in differ[:4])
        raise UserError(
            f"{checkpoint.path}: expected a checkpoint of the same configuration, but {len(differ)} settings "
            f"differ ({shown}); train into another folder, or start anew without resuming"
        )


def restore(checkpoint: Checkpoint, model: nn.Module, optimiser: Optimizer, scheduler: LRScheduler) -> None:
    """Put a run back to where the checkpoint was written."""
    model.load_state_dict(checkpoint.state["model"])
    optimiser.load_state_dict(checkpoint.state["optimiser"])
    scheduler.load_state_dict(checkpoint.state["scheduler"])
    torch.set_rng_state(checkpoint.state["random"])
