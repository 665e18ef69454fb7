"""What a network reads, made from point clouds without any of its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.config import Config
from bev3d.models._encoder import encode_points
from bev3d.models._learned_encoder import prepare_clouds

__all__ = ["ModelInputs", "make_inputs"]


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """A batch as a network reads it.

    Attributes:
        tensors: by name, as the encoder of the configuration wants them; ``height_slices``: ``images`` (B, C, H, W);
            ``pillars`` and ``voxels``: see :meth:`bev3d.models.PillarEncoder.prepare` and
            :meth:`bev3d.models.VoxelEncoder.prepare`.
        batch_size: B, which voxels alone do not tell where samples are empty.
    """

    tensors: Mapping[str, Tensor]
    batch_size: int

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> ModelInputs:
        """The same on another device."""
        moved = {name: value.to(device, non_blocking=non_blocking) for name, value in self.tensors.items()}
        return ModelInputs(moved, self.batch_size)


def make_inputs(clouds: Sequence[NDArray[np.float32]], config: Config, *, training: bool = False) -> ModelInputs:
    """What the detector of ``config`` reads, on the CPU: what a loader can do ahead of the step.

    Args:
        clouds: B point clouds (P, 5): x, y, z in metres, intensity in [0, 1], time lag in seconds.
        config: encoder and grid.
        training: of hard voxelisation: which of the two caps on the number of voxels applies.

    Raises:
        ValueError: a cloud that is not (P, 5).
    """
    if config.encoder != "height_slices":
        return ModelInputs(prepare_clouds(clouds, config, training=training), len(clouds))
    return ModelInputs({"images": encode_points(clouds, config)}, len(clouds))
