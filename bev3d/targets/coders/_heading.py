"""Headings as a bin and what is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bev3d.boxes import wrap_angle
from bev3d.boxes._backend import atan2, cos, sin
from bev3d.targets.coders._columns import Array, absolute, as_floats, clip, floor, whole

__all__ = ["DirectionBins", "HeadingBins", "MultibinCoder"]

FULL_TURN = 2 * math.pi


@dataclass(frozen=True)
class HeadingBins:
    """A bin and a residual in half bins (F-PointNet, Qi et al. 2018, 1711.08488; PointRCNN, Shi et al., 1812.04244).

    Over a full turn bin i has its centre at 2 pi i / count: bin 0 lies about +x. Over less, ``span_rad`` about 0 is
    cut into bins, and a yaw beyond belongs to the nearest, with a residual outside [-1, 1]. PointRCNN's second stage
    has 9 bins over a quarter turn, on the yaw relative to the proposal.

    F-PointNet leaves the residual in radians in its labels and divides by half a bin in its loss; mmdet3d's
    ``angle2class`` leaves it in radians.

    Attributes:
        count: number of bins.
        span_rad: what they cover, in (0, 2 pi].
    """

    count: int = 12
    span_rad: float = FULL_TURN

    def __post_init__(self) -> None:
        _check_bins("count", self.count)
        if not 0 < self.span_rad <= FULL_TURN:
            raise ValueError(f"span_rad: expected radians in (0, 2 pi], got {self.span_rad}")

    @property
    def bin_rad(self) -> float:
        """Width of a bin."""
        return self.span_rad / self.count

    def encode(self, yaw: Array) -> tuple[Array, Array]:
        """Bin (...) int64 and residual (...) of yaws (...), radians; a NaN has bin 0 and residual NaN."""
        _check_floats("yaw", yaw)
        from_first = wrap_angle(yaw) - self._first
        nearest = floor(_known(from_first) / self.bin_rad + 0.5)
        # a full turn closes: the bins are counted modulo count; less ends at its first and last bin
        nearest = nearest % self.count if self.span_rad == FULL_TURN else clip(nearest, 0.0, self.count - 1.0)
        residual = wrap_angle(yaw - (self._first + nearest * self.bin_rad)) / (self.bin_rad / 2)
        return whole(nearest), residual

    def decode(self, bins: Array, residual: Array) -> Array:
        """Yaw (...) in [-pi, pi) of bins (...) and residuals (...); differentiable in the residual."""
        _check_floats("residual", residual)
        centre = self._first + as_floats(bins, residual) * self.bin_rad
        return wrap_angle(centre + residual * (self.bin_rad / 2))

    @property
    def _first(self) -> float:
        """Centre of bin 0."""
        return 0.0 if self.span_rad == FULL_TURN else (self.bin_rad - self.span_rad) / 2


@dataclass(frozen=True)
class MultibinCoder:
    """MultiBin (Mousavian et al., CVPR 2017, 1612.00496): each bin that covers the heading gives its sine and cosine.

    Bin i has its centre at 2 pi i / count and covers the headings within half its width and ``overlap`` of that more,
    as :func:`bev3d.losses.multibin_loss` expects them.

    Attributes:
        count: number of bins; the paper has 2.
        overlap: in [0, 1].
    """

    count: int = 2
    overlap: float = 0.1

    def __post_init__(self) -> None:
        _check_bins("count", self.count)
        if not 0 <= self.overlap <= 1:
            raise ValueError(f"overlap: expected a number in [0, 1], got {self.overlap}")

    def encode(self, yaw: Array) -> tuple[Array, Array, Array]:
        """Nearest bin, the bins that cover it, and the heading from each centre.

        Args:
            yaw: (...), radians, finite.

        Returns:
            Bin (...) int64, equally near: the lower; covered (..., count) bool; (..., count, 2) sine and cosine of
            yaw - centre, of every bin.
        """
        _check_floats("yaw", yaw)
        away = wrap_angle(yaw[..., None] - self._centres(yaw))
        nearest = absolute(away).argmin(-1)
        # the small constant takes a heading on a border into both of its bins, whatever the rounding
        covered = absolute(away) <= math.pi / self.count * (1 + self.overlap) + 1e-6
        stack: Any = torch.stack if isinstance(yaw, torch.Tensor) else np.stack
        return nearest, covered, stack([sin(away), cos(away)], -1)

    def decode(self, scores: Array, heading: Array) -> Array:
        """Yaw of the bin of highest score.

        Args:
            scores: (..., count), any order-preserving score; equal ones: the lower bin.
            heading: (..., count, 2) sine and cosine, of any length.

        Returns:
            (...) in [-pi, pi), differentiable in ``heading``.

        Raises:
            ValueError: shapes that do not fit.
        """
        _check_floats("heading", heading)
        if tuple(scores.shape[-1:]) != (self.count,):
            raise ValueError(f"scores: expected shape (..., {self.count}), got {tuple(scores.shape)}")
        if tuple(heading.shape) != (*scores.shape, 2):
            raise ValueError(f"heading: expected shape {(*scores.shape, 2)}, got {tuple(heading.shape)}")
        best = scores.argmax(-1)
        yaw = atan2(heading[..., 0], heading[..., 1]) + self._centres(heading[..., 0, 0])
        if isinstance(yaw, torch.Tensor):
            return wrap_angle(yaw.gather(-1, best[..., None])[..., 0])
        return wrap_angle(np.take_along_axis(yaw, best[..., None], -1)[..., 0])

    def _centres(self, like: Array) -> Array:
        numbers = np.arange(self.count) * (FULL_TURN / self.count)
        return like.new_tensor(numbers) if isinstance(like, torch.Tensor) else numbers.astype(like.dtype)


@dataclass(frozen=True)
class DirectionBins:
    """SECOND's direction classes, which say what the sine of a yaw difference cannot (Yan et al. 2018).

        bin = floor(((yaw - offset) mod 2 pi) / (2 pi / count))

    Attributes:
        count: 2 for front and back.
        offset_rad: where bin 0 begins. The usual pi / 4 keeps the borders away from traffic along the axes.
    """

    count: int = 2
    offset_rad: float = math.pi / 4

    def __post_init__(self) -> None:
        _check_bins("count", self.count)
        if not math.isfinite(self.offset_rad):
            raise ValueError(f"offset_rad: expected a finite angle, got {self.offset_rad}")

    def encode(self, yaw: Array) -> Array:
        """Bin (...) int64 of yaws (...), radians; a NaN has bin 0."""
        _check_floats("yaw", yaw)
        turned = _known(yaw - self.offset_rad) % FULL_TURN
        return whole(clip(floor(turned / (FULL_TURN / self.count)), 0.0, self.count - 1.0))

    def decode(self, yaw: Array, bins: Array) -> Array:
        """The yaw in that bin which differs from ``yaw`` by whole bins: (...) in [-pi, pi), differentiable."""
        _check_floats("yaw", yaw)
        width = FULL_TURN / self.count
        centre = self.offset_rad + (as_floats(bins, yaw) + 0.5) * width
        return wrap_angle(centre + wrap_angle(yaw - centre, period=width))


def _known(value: Array) -> Array:
    """0 for NaN, which has no bin."""
    return torch.nan_to_num(value) if isinstance(value, torch.Tensor) else np.nan_to_num(value)


def _check_bins(name: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"{name}: expected a whole number >= 1, got {count!r}")


def _check_floats(name: str, value: Any) -> None:
    if not isinstance(value, np.ndarray | np.generic | torch.Tensor):
        raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
    if not (value.is_floating_point() if isinstance(value, torch.Tensor) else value.dtype.kind == "f"):
        raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
