"""Settings: the bird's-eye-view grid, and the targets on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bev3d.config._refuse import check_positive, refuse

__all__ = ["GridConfig", "TargetConfig"]


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """The bird's-eye-view grid."""

    range_m: tuple[float, float, float, float, float, float]
    """x0, y0, z0, x1, y1, z1 in metres."""
    voxel_size_m: tuple[float, float, float]
    """Size of a pillar or voxel along x, y, z in metres."""
    stride: int = 2
    """Input cells per output cell."""

    @property
    def grid_size(self) -> tuple[int, int]:
        """Input cells along x and y."""
        cells = [(self.range_m[i + 3] - self.range_m[i]) / self.voxel_size_m[i] for i in range(2)]
        return round(cells[0]), round(cells[1])

    @property
    def output_size(self) -> tuple[int, int]:
        """Output cells along x and y."""
        columns, rows = self.grid_size
        return columns // self.stride, rows // self.stride

    def check_grid(self, levels: int) -> None:
        """Raise where the grid cannot be, or does not divide for a network of so many levels."""
        check_positive(self, "stride")
        for i, axis in enumerate("xyz"):
            if not self.range_m[i] < self.range_m[i + 3]:
                refuse("range_m", f"{axis}0 < {axis}1", self.range_m)
            if not self.voxel_size_m[i] > 0:
                refuse("voxel_size_m", "three sizes > 0", self.voxel_size_m)
        for i, axis in enumerate("xy"):
            cells = (self.range_m[i + 3] - self.range_m[i]) / self.voxel_size_m[i]
            if abs(cells - round(cells)) > 1e-3:
                expected = f"a size that divides the range along {axis} into whole cells"
                refuse("voxel_size_m", expected, f"{cells:.4f} cells")
            deepest = self.stride * 2 ** (levels - 1)
            if round(cells) % deepest:
                refuse("range_m", f"cells along {axis} divisible by {deepest} (stride and levels)", round(cells))


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Heatmap targets."""

    radius: Literal["cornernet", "legacy", "sqrt_area", "oriented"] = "cornernet"
    """Rule for the radius of the Gaussians; oriented: ellipses along the heading."""
    min_overlap: float = 0.1
    """Overlap with the box that the radius guarantees."""
    min_radius: int = 2
    """Smallest radius, output cells."""
    max_objects: int = 500
    """Most objects of a task in a sample."""

    def check_targets(self) -> None:
        """Raise where the settings of the targets cannot be."""
        check_positive(self, "max_objects")
        if not 0 < self.min_overlap < 1:
            refuse("min_overlap", "a number in (0, 1)", self.min_overlap)
