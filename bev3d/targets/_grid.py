"""The output grid of a bird's-eye-view network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["OutputGrid"]


@dataclass(frozen=True)
class OutputGrid:
    """Cells of a heatmap: columns along x, rows along y, ``cell = floor((centre - range_min) / cell_m)``.

    Attributes:
        range_m: x0, y0, z0, x1, y1, z1 in metres, half-open: a centre on the upper end lies outside.
        cell_m: size of an output cell along x and y, voxel size times stride.
        columns: W, output cells along x.
        rows: H, output cells along y.
    """

    range_m: tuple[float, float, float, float, float, float]
    cell_m: tuple[float, float]
    columns: int
    rows: int

    @property
    def mean_cell_m(self) -> float:
        """Side of the square of the same area as a cell."""
        return math.sqrt(self.cell_m[0] * self.cell_m[1])

    @staticmethod
    def of(range_m: Sequence[float], voxel_size_m: Sequence[float], stride: int) -> OutputGrid:
        """Grid of a range, a voxel size and the voxels per output cell.

        Raises:
            ValueError: a range that is empty or not a whole number of output cells, a size or stride <= 0.
        """
        limits = _floats("range_m", range_m, 6)
        voxel = _floats("voxel_size_m", voxel_size_m, 3)
        if any(not size > 0 for size in voxel):
            raise ValueError(f"voxel_size_m: expected three sizes > 0, got {voxel}")
        if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
            raise ValueError(f"stride: expected an integer >= 1, got {stride!r}")
        counts = []
        for i, axis in enumerate("xyz"):
            if not limits[i] < limits[i + 3]:
                raise ValueError(f"range_m: expected {axis}0 < {axis}1, got {limits[i]} and {limits[i + 3]}")
            cells = (limits[i + 3] - limits[i]) / (voxel[i] * stride)
            if i < 2 and abs(cells - round(cells)) > 1e-3:
                expected = f"a whole number of output cells of {voxel[i]} * {stride} m along {axis}"
                raise ValueError(f"range_m: expected {expected}, got {cells:.4f}")
            counts.append(round(cells))
        return OutputGrid(limits, (voxel[0] * stride, voxel[1] * stride), counts[0], counts[1])  # type: ignore[arg-type]  # six, checked


def _floats(name: str, values: Sequence[float], length: int) -> tuple[float, ...]:
    try:
        result = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected {length} numbers, got {values!r}") from error
    if len(result) != length:
        raise ValueError(f"{name}: expected {length} numbers, got {len(result)}: {result}")
    return result
