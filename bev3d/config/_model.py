"""Settings: the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["ModelConfig"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network."""

    encoder: Literal["height_slices"] = "height_slices"
    """What turns points into a bird's-eye-view image."""
    height_slices: int = 8
    """Slices of z in which a pillar counts its points."""
    channels: tuple[int, ...] = (32, 48, 64)
    """Channels of the backbone's levels; each halves the resolution."""
    blocks: tuple[int, ...] = (1, 1, 1)
    """3 x 3 convolutions a level, after the one that halves the resolution."""
    lateral_channels: int = 32
    """Channels to which each level is brought before they are joined."""
    head_channels: int = 32
    """Channels of the shared layer in front of the heads."""

    def check_model(self) -> None:
        """Raise where the settings of the network cannot be."""
        check_positive(self, "height_slices", "lateral_channels", "head_channels")
        if len(self.channels) != len(self.blocks):
            refuse("blocks", f"as many entries as channels ({len(self.channels)})", self.blocks)
