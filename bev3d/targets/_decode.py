"""Heatmaps and regression maps back to boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bev3d.boxes import wrap_angle
from bev3d.targets._grid import OutputGrid
from bev3d.targets._record import REGRESSION_SIZES

__all__ = ["decode_heatmap"]


def decode_heatmap(
    heatmap: Tensor,
    regression: Mapping[str, Tensor],
    *,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    stride: int,
    max_objects: int,
    score_threshold: float,
    peak_window: Sequence[int] = (3,),
    quality: Tensor | None = None,
    quality_exponent: Sequence[float] = (0.5,),
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Boxes at the peaks of a heatmap: cells that equal the maximum of their neighbourhood, 3 x 3 by default.

    x = (column + offset_x) * cell + x0, y likewise, z = height, sizes = exp(log_size), yaw = atan2(sin, cos); in
    float64 before the result is rounded to the map's dtype, so that encoding and decoding a box in float32 returns
    it to 1e-5 m. Suppression beyond the search for peaks is the caller's.

    Args:
        heatmap: (B, C, H, W) probabilities.
        regression: maps (B, components, H, W) by name: offset, height, log_size, heading (sin, cos) and, optionally,
            velocity; without it the velocity is NaN.
        range_m, voxel_size_m, stride: as given to :class:`HeatmapTargets`.
        max_objects: most boxes of a sample.
        score_threshold: peaks below it are left out, as is a peak of 0.
        peak_window: odd side of the neighbourhood in cells, one number a class or one for all. With 1 every cell is a
            peak, for small objects that stand in neighbouring cells (TransFusion, Bai et al. 2022, arXiv 2203.11496,
            does so for pedestrians and cones); the caller then has to suppress by distance or overlap.
        quality: (B, 1 or C, H, W) predicted overlap of each cell's box, taken as in [0, 1]. Peaks are sought in the
            heatmap; then a score s becomes s^(1 - a) * quality^a (CIA-SSD, Zheng et al. 2021, arXiv 2012.03015), by
            which boxes are ordered. Both s and what it becomes have to reach the threshold.
        quality_exponent: a in [0, 1], one number a class or one for all.

    Returns:
        Per sample boxes (K, 9), scores (K,) and labels (K,), best score first, equal scores in the order of class,
        row, column; the dtype of ``heatmap``, float32 for half precision.

    Raises:
        ValueError: a heatmap that does not fit the grid, a regression map that is missing, unknown or of another
            shape, ``max_objects`` < 1, a quality of another shape, an exponent outside [0, 1].
    """
    grid = OutputGrid.of(range_m, voxel_size_m, stride)
    _check(heatmap, regression, grid, max_objects)
    scores = heatmap.detach()
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    peak = _peaks(scores, peak_window) & (scores > 0) & (scores >= score_threshold)
    if quality is not None:
        scores = _rectified(scores, quality.detach().to(scores.dtype), quality_exponent)
    peak &= (scores > 0) & (scores >= score_threshold)
    maps = {name: value.detach() for name, value in regression.items()}
    results = []
    for b in range(len(scores)):
        places = peak[b].flatten().nonzero()[:, 0]
        score, order = scores[b].flatten()[places].sort(descending=True, stable=True)
        places, score = places[order[:max_objects]], score[:max_objects]
        cells = places % (grid.rows * grid.columns)
        gathered = {name: value[b].flatten(1)[:, cells].T.double() for name, value in maps.items()}
        boxes = _boxes(cells, gathered, grid).to(scores.dtype)
        results.append((boxes, score, places // (grid.rows * grid.columns)))
    return results


def _peaks(scores: Tensor, windows: Sequence[int]) -> Tensor:
    """(B, C, H, W) bool: the cell is the maximum of its class's window."""
    sides = list(windows) * scores.shape[1] if len(windows) == 1 else list(windows)
    if len(sides) != scores.shape[1] or any(side < 1 or side % 2 == 0 for side in sides):
        expected = f"1 or {scores.shape[1]} odd numbers >= 1"
        raise ValueError(f"peak_window: expected {expected}, got {tuple(windows)}")
    peak = torch.ones_like(scores, dtype=torch.bool)
    for side in sorted(set(sides) - {1}):
        classes = [i for i, own in enumerate(sides) if own == side]
        part = scores[:, classes]
        peak[:, classes] = functional.max_pool2d(part, side, stride=1, padding=side // 2) == part
    return peak


def _rectified(scores: Tensor, quality: Tensor, exponents: Sequence[float]) -> Tensor:
    """s^(1 - a) * quality^a, class by class."""
    classes = scores.shape[1]
    if len(exponents) not in (1, classes) or any(not 0 <= a <= 1 for a in exponents):
        raise ValueError(f"quality_exponent: expected 1 or {classes} numbers in [0, 1], got {tuple(exponents)}")
    if quality.shape[1:2] not in ((1,), (classes,)) or quality.shape[:1] + quality.shape[2:] != (
        scores.shape[:1] + scores.shape[2:]
    ):
        expected = f"({len(scores)}, 1 or {classes}, {scores.shape[2]}, {scores.shape[3]})"
        raise ValueError(f"quality: expected shape {expected}, got {tuple(quality.shape)}")
    a = scores.new_tensor(exponents)[:, None, None]
    return scores.pow(1 - a) * quality.clamp(0, 1).pow(a)


def _boxes(cells: Tensor, values: Mapping[str, Tensor], grid: OutputGrid) -> Tensor:
    column, row = cells % grid.columns, cells // grid.columns
    x = (column + values["offset"][:, 0]) * grid.cell_m[0] + grid.range_m[0]
    y = (row + values["offset"][:, 1]) * grid.cell_m[1] + grid.range_m[1]
    yaw = wrap_angle(torch.atan2(values["heading"][:, 0], values["heading"][:, 1]))
    velocity = values.get("velocity", torch.full_like(values["offset"], torch.nan))
    columns = [x[:, None], y[:, None], values["height"], values["log_size"].exp(), yaw[:, None], velocity]
    return torch.cat(columns, dim=1)


def _check(heatmap: Tensor, regression: Mapping[str, Tensor], grid: OutputGrid, max_objects: int) -> None:
    if not heatmap.is_floating_point():
        raise TypeError(f"heatmap: expected a floating-point dtype, got {heatmap.dtype}")
    if heatmap.ndim != 4 or tuple(heatmap.shape[-2:]) != (grid.rows, grid.columns):
        raise ValueError(f"heatmap: expected shape (B, C, {grid.rows}, {grid.columns}), got {tuple(heatmap.shape)}")
    if max_objects < 1:
        raise ValueError(f"max_objects: expected an integer >= 1, got {max_objects}")
    missing = sorted(REGRESSION_SIZES.keys() - regression.keys() - {"velocity"})
    unknown = sorted(regression.keys() - REGRESSION_SIZES.keys())
    if missing or unknown:
        names = ", ".join(REGRESSION_SIZES)
        raise ValueError(f"regression: expected maps {names}; missing {missing}, unknown {unknown}")
    for name, value in regression.items():
        expected = (heatmap.shape[0], REGRESSION_SIZES[name], grid.rows, grid.columns)
        if tuple(value.shape) != expected:
            raise ValueError(f"regression[{name!r}]: expected shape {expected}, got {tuple(value.shape)}")
