"""Settings: training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive

__all__ = ["OptimiserConfig"]


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Training."""

    batch_size: int = 2
    """Samples a step."""
    epochs: float = 2.0
    """Passes over the training split; a fraction is allowed."""
    learning_rate: float = 6e-3
    """Peak of the one-cycle schedule (AdamW)."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    gradient_clip: float = 10.0
    """Largest norm of the gradient."""
    flip: bool = False
    """Mirror training samples at random: across x for KITTI's forward view, across both axes otherwise."""
    rotate_rad: float = 0.0
    """Turn training samples by a random angle in ± this."""
    scale_range: float = 0.0
    """Scale training samples by a random factor in 1 ± this."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the network in training; auto: bfloat16 where the processor has instructions for it."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    checkpoint_every_steps: int = 200
    """Steps between checkpoints; the last step always writes one."""
    log_every_steps: int = 10
    """Steps between lines of the log."""

    def check_training(self) -> None:
        """Raise where the settings of training cannot be."""
        check_positive(self, "batch_size", "epochs", "learning_rate", "gradient_clip")
        check_positive(self, "checkpoint_every_steps", "log_every_steps")
