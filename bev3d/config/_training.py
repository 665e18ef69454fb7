"""Settings: training."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["OptimiserConfig"]


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Training."""

    batch_size: int = 2
    """Samples that a process takes through the network at once."""
    accumulate: int = 1
    """Batches of a step, whose gradients are added up; a step has batch_size * accumulate * processes samples."""
    epochs: float = 2.0
    """Passes over the training split; a fraction is allowed."""
    learning_rate: float = 6e-3
    """Peak of the one-cycle schedule (AdamW)."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    gradient_clip: float = 10.0
    """Largest norm of the gradient."""
    ema_decay: float = 0.0
    """Decay of the exponential moving average of the weights, which is evaluated and predicts; 0: no average."""
    flip: bool = False
    """Mirror training samples at random: across x for KITTI's forward view, across both axes otherwise."""
    rotate_rad: float = 0.0
    """Turn training samples by a random angle in ± this."""
    scale_range: float = 0.0
    """Scale training samples by a random factor in 1 ± this."""
    device: str = "auto"
    """Where the network trains and predicts: cpu, cuda, cuda:1; auto: cuda where there is one, one for each process."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic of the network in training; auto: bfloat16 where the processor has instructions for it."""
    sync_batch_norm: bool = True
    """With several processes: batch norm over the samples of all; off, each normalises its own."""
    encoder_norm_momentum: float = 0.01
    """Share of a new batch in the running statistics of a learned encoder's batch norms; the published 0.01 lags behind
    a run of a few hundred steps, which 0.1 follows."""
    deterministic: bool = False
    """Only algorithms that repeat to the bit, on a GPU too, or an error where there is none; slower."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    rank_timeout_s: float = 1800.0
    """With several processes: seconds after which one that does not answer ends the run; longer than an evaluation."""
    checkpoint_every_steps: int = 200
    """Steps between checkpoints; the last step always writes one."""
    evaluate_every_steps: int = 0
    """Steps between evaluations on the validation split; 0: none by steps."""
    evaluate_every_epochs: float = 0.0
    """Passes between evaluations; 0: none by passes."""
    evaluate_samples: int = 0
    """Samples of an evaluation, spread evenly over the split; 0: all."""
    log_every_steps: int = 10
    """Steps between lines of the log."""
    tensorboard: bool = False
    """Also write events for TensorBoard; needs the package tensorboard."""

    def check_training(self) -> None:
        """Raise where the settings of training cannot be."""
        check_positive(self, "batch_size", "accumulate", "epochs", "learning_rate", "gradient_clip", "rank_timeout_s")
        check_positive(self, "checkpoint_every_steps", "log_every_steps")
        for key in ("evaluate_every_steps", "evaluate_every_epochs", "evaluate_samples"):
            if getattr(self, key) < 0:
                refuse(key, "a number >= 0", getattr(self, key))
        if self.evaluate_every_steps and self.evaluate_every_epochs:
            expected = "0 where evaluate_every_steps is given"
            refuse("evaluate_every_epochs", expected, self.evaluate_every_epochs)
        if not 0 <= self.ema_decay < 1:
            refuse("ema_decay", "a number in [0, 1)", self.ema_decay)
        if not 0 < self.encoder_norm_momentum <= 1:
            refuse("encoder_norm_momentum", "a number in (0, 1]", self.encoder_norm_momentum)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            refuse("device", "auto, cpu, cuda or cuda:NUMBER", repr(self.device))
