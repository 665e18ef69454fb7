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

    def check_grid(self, deepest: int, encoder: str) -> None:
        """Raise where the grid cannot be, or does not divide.

        Args:
            deepest: input cells per cell of the network's last level.
            encoder: what reads the grid.
        """
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
            if round(cells) % deepest:
                refuse("range_m", f"cells along {axis} divisible by {deepest} (stride and levels)", round(cells))
        self._check_height(encoder)

    def _check_height(self, encoder: str) -> None:
        """Learned encoders sort points by z too: pillars into one cell, voxels into whole ones."""
        cells = (self.range_m[5] - self.range_m[2]) / self.voxel_size_m[2]
        if encoder == "pillars" and abs(cells - 1) > 1e-3:
            expected = f"pillars as high as the range, {self.range_m[5] - self.range_m[2]:g} m"
            refuse("voxel_size_m", expected, self.voxel_size_m[2])
        if encoder == "voxels" and abs(cells - round(cells)) > 1e-3:
            refuse("voxel_size_m", "a size that divides the range along z into whole cells", f"{cells:.4f} cells")


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Targets: heatmaps of the centre heads, anchors of the anchor head."""

    radius: Literal["cornernet", "legacy", "sqrt_area", "oriented"] = "cornernet"
    """Rule for the radius of the Gaussians; oriented: ellipses along the heading."""
    min_overlap: float = 0.1
    """Overlap with the box that the radius guarantees."""
    min_radius: int = 2
    """Smallest radius, output cells."""
    max_objects: int = 500
    """Most objects of a task in a sample, and most boxes that are decoded."""
    anchor_sizes_m: tuple[tuple[float, float, float], ...] = ()
    """anchor: length, width and height of the anchors by class."""
    anchor_z_m: tuple[float, ...] = ()
    """anchor: height of the anchors' centres by class."""
    anchor_yaws_rad: tuple[float, ...] = (0.0, 1.5707963267948966)
    """anchor: headings of the anchors at each cell."""
    anchor_matched: tuple[float, ...] = (0.6,)
    """anchor: overlap from which an anchor is positive, by class or one for all."""
    anchor_unmatched: tuple[float, ...] = (0.45,)
    """anchor: overlap below which it is negative; between the two it is ignored."""
    anchor_overlap: Literal["bev", "3d", "nearest_bev"] = "bev"
    """anchor: which overlap; nearest_bev turns boxes to the nearer axis first, as published."""
    anchor_align: Literal["cell_centre", "range_ends"] = "cell_centre"
    """anchor: over the middle of the cells, or spread from end to end of the range, as published."""
    direction_bins: int = 2
    """anchor: sectors of the heading among which the direction is classified."""
    direction_offset_rad: float = 0.7853981633974483
    """anchor: where the first of them begins."""

    def check_targets(self, classes: int, head: str) -> None:
        """Raise where the settings of the targets cannot be for so many classes."""
        check_positive(self, "max_objects", "direction_bins")
        if not 0 < self.min_overlap < 1:
            refuse("min_overlap", "a number in (0, 1)", self.min_overlap)
        if head != "anchor":
            return
        for key in ("anchor_sizes_m", "anchor_z_m"):
            if len(getattr(self, key)) != classes:
                refuse(key, f"one entry for each of {classes} classes", getattr(self, key))
        if any(not side > 0 for size in self.anchor_sizes_m for side in size):
            refuse("anchor_sizes_m", "sizes > 0", self.anchor_sizes_m)
        if not self.anchor_yaws_rad:
            refuse("anchor_yaws_rad", "at least one heading", self.anchor_yaws_rad)
        for key in ("anchor_matched", "anchor_unmatched"):
            values = getattr(self, key)
            if len(values) not in (1, classes) or any(not 0 <= value <= 1 for value in values):
                refuse(key, f"1 or {classes} numbers in [0, 1]", values)
        for low, high in zip(_each(self.anchor_unmatched, classes), _each(self.anchor_matched, classes), strict=True):
            if low > high:
                refuse("anchor_unmatched", f"at most anchor_matched, {self.anchor_matched}", self.anchor_unmatched)


def _each(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    return values * count if len(values) == 1 else values
