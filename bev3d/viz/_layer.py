"""A heatmap with its peaks, from targets or from a network, ready to be drawn in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["HeatmapLayer", "heatmap_layer"]


@dataclass(frozen=True, eq=False)
class HeatmapLayer:
    """A heatmap over the ground.

    Attributes:
        values: (C, H, W) float32 probabilities by class; rows along y, columns along x.
        extent: x0, y0, x1, y1 in metres.
        cells: (K, 2) int64 column and row of each peak.
        centres: (K, 2) float64 x and y of the centre that a peak stands for; NaN where no offset is known.
        kind: ``"targets"`` or ``"predicted"``, for captions.
    """

    values: NDArray[np.float32]
    extent: tuple[float, float, float, float]
    cells: NDArray[np.int64]
    centres: NDArray[np.float64]
    kind: str

    @property
    def cell_size(self) -> tuple[float, float]:
        """Size of a cell along x and y, metres."""
        x0, y0, x1, y1 = self.extent
        rows, columns = self.values.shape[1:]
        return (x1 - x0) / columns, (y1 - y0) / rows

    @property
    def corners(self) -> NDArray[np.float64]:
        """(K, 2) x and y of the lower corner of each peak's cell: where its offset starts."""
        return np.array(self.extent[:2]) + self.cells * np.array(self.cell_size)

    @property
    def strongest(self) -> NDArray[np.float32]:
        """(H, W) the strongest class of each cell."""
        return self.values.max(axis=0)


def heatmap_layer(
    *,
    targets: Any = None,
    heatmap: Any = None,
    offset: Any = None,
    range_m: Sequence[float] | None = None,
    task: int | None = None,
    batch_index: int = 0,
    peak_threshold: float = 0.2,
) -> HeatmapLayer | None:
    """Bring targets or predicted probabilities into one form; None where neither is given.

    Args:
        targets: ``bev3d.targets.Targets``; its offsets give the centres.
        heatmap: a layer, which comes back as it is, or probabilities (H, W), (C, H, W) or a list of such maps by
            task; takes precedence over ``targets``.
        offset: (2, H, W) predicted offset of the centre from the lower corner of its cell, in cells.
        range_m: (x0, y0, z0, x1, y1, z1) of the grid; needed unless ``heatmap`` is a layer.
        task: only this group of classes; all where None.
        batch_index: which sample of the targets.
        peak_threshold: lowest probability of a predicted peak.

    Raises:
        ValueError: no range, a range of the wrong length, or a map of the wrong shape.
    """
    if isinstance(heatmap, HeatmapLayer):
        return heatmap
    if targets is None and heatmap is None:
        return None
    if range_m is None or len(range_m) != 6:
        raise ValueError(f"range_m: expected x0, y0, z0, x1, y1, z1 of the heatmap's grid, got {range_m}")
    extent = (float(range_m[0]), float(range_m[1]), float(range_m[3]), float(range_m[4]))
    if heatmap is not None:
        return _from_probabilities(heatmap, offset, extent, task, peak_threshold)
    return _from_targets(targets, extent, task, batch_index)


def _from_targets(targets: Any, extent: Any, task: int | None, batch_index: int) -> HeatmapLayer:
    tasks = targets.tasks if task is None else [targets.tasks[task]]
    values = np.concatenate([_numpy(t.heatmap[batch_index]) for t in tasks]).astype(np.float32)
    cells, fractions = [], []
    for t in tasks:
        mask = _numpy(t.mask[batch_index]).astype(bool)
        flat = _numpy(t.cell_index[batch_index])[mask]
        cells.append(np.stack([flat % values.shape[2], flat // values.shape[2]], axis=-1))
        fractions.append(_numpy(t.regression["offset"][batch_index])[mask])
    at = np.concatenate(cells).astype(np.int64)
    layer = HeatmapLayer(values, extent, at, np.full(at.shape, np.nan), "targets")
    return _with_centres(layer, np.concatenate(fractions))


def _from_probabilities(heatmap: Any, offset: Any, extent: Any, task: int | None, threshold: float) -> HeatmapLayer:
    maps = list(heatmap) if isinstance(heatmap, list | tuple) else [heatmap]
    maps = maps if task is None or len(maps) == 1 else [maps[task]]
    values = np.concatenate([_as_classes(_numpy(m)) for m in maps]).astype(np.float32)
    at = _peaks(values, threshold)
    layer = HeatmapLayer(values, extent, at, np.full(at.shape, np.nan), "predicted")
    if offset is None:
        return layer
    shifts = _numpy(offset)
    if shifts.shape != (2, *values.shape[1:]):
        raise ValueError(f"offset: expected shape {(2, *values.shape[1:])}, got {shifts.shape}")
    return _with_centres(layer, shifts[:, at[:, 1], at[:, 0]].T)


def _with_centres(layer: HeatmapLayer, fractions: NDArray[np.floating]) -> HeatmapLayer:
    centres = layer.corners + np.asarray(fractions, dtype=np.float64) * np.array(layer.cell_size)
    return HeatmapLayer(layer.values, layer.extent, layer.cells, centres, layer.kind)


def _as_classes(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise ValueError(f"heatmap: expected shape (H, W) or (C, H, W), got {values.shape}")
    return values


def _peaks(values: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Cells (K, 2), column and row, that no neighbour of their 3 x 3 window beats, in any class."""
    rows, columns = values.shape[1:]
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    shifts = [padded[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    best = (values >= np.maximum.reduce(shifts)) & (values >= threshold)
    at_row, at_column = np.nonzero(best.any(axis=0))
    return np.stack([at_column, at_row], axis=-1).astype(np.int64)


def _numpy(value: Any) -> NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
