"""Boxes as bins with residuals: F-PointNet and PointRCNN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes import wrap_angle
from bev3d.boxes._backend import concatenate, cos, sin
from bev3d.targets.coders._columns import Array, check_encodable, check_same_kind, clip, floor, join, whole
from bev3d.targets.coders._heading import HeadingBins

__all__ = ["FPointNetCode", "FPointNetCoder", "PointRcnnCode", "PointRcnnCoder"]

Sizes = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, eq=False)
class FPointNetCode:
    """What :class:`FPointNetCoder` makes of boxes (...).

    Attributes:
        offset: (..., 3) from the point to the centre, metres.
        heading_bin: (...) int64.
        heading_residual: (...) half bins.
        size_bin: (...) int64, the template.
        size_residual: (..., 3), (size - template) / template.
    """

    offset: Any
    heading_bin: Any
    heading_residual: Any
    size_bin: Any
    size_residual: Any


@dataclass(frozen=True)
class FPointNetCoder:
    """F-PointNet (Qi et al., CVPR 2018, 1711.08488): centre residual, heading bins, size templates with residuals.

    Attributes:
        sizes_m: templates, (length, width, height) each, usually the mean size of each class.
        heading: bins of the yaw.
    """

    sizes_m: Sizes
    heading: HeadingBins = field(default_factory=HeadingBins)

    def __post_init__(self) -> None:
        _check_sizes("sizes_m", self.sizes_m)

    def encode(self, boxes: Array, points: Array, size_bin: Array) -> FPointNetCode:
        """Code of boxes against points.

        Args:
            boxes: (..., 7 or 9), sizes above 0; the velocity is not kept.
            points: (..., 3) what the centre is regressed from, metres.
            size_bin: (...) int64, the template of each box, usually its class.

        Raises:
            ValueError: wrong shapes; boxes that are not finite or have no size; a template that is not there (on CUDA
                the values are not looked at).
            TypeError: not floating point, or an array and a tensor.
        """
        check_encodable(boxes)
        check_last_dim("points", points, (3,))
        check_same_kind("points", points, "boxes", boxes)
        template = _take(self.sizes_m, size_bin, boxes)
        bins, residual = self.heading.encode(boxes[..., 6])
        size_residual = (boxes[..., 3:6] - template) / template
        return FPointNetCode(boxes[..., :3] - points, bins, residual, size_bin, size_residual)

    def decode(self, code: FPointNetCode, points: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable in offset and residuals: (..., 7)."""
        check_last_dim("points", points, (3,))
        size = (code.size_residual + 1) * _take(self.sizes_m, code.size_bin, code.size_residual)
        yaw = self.heading.decode(code.heading_bin, code.heading_residual)
        return concatenate([code.offset + points, size, yaw[..., None]])


@dataclass(frozen=True, eq=False)
class PointRcnnCode:
    """What :class:`PointRcnnCoder` makes of boxes (...).

    Attributes:
        bins: (..., 2) int64, of x and y.
        residual: (..., 2) from the centre of the bin, in bins: [-0.5, 0.5) within the range.
        height: (...) z of the box less that of the point, metres.
        heading_bin: (...) int64.
        heading_residual: (...) half bins.
        size_residual: (..., 3), (size - mean) / mean.
    """

    bins: Any
    residual: Any
    height: Any
    heading_bin: Any
    heading_residual: Any
    size_residual: Any


@dataclass(frozen=True)
class PointRcnnCoder:
    """PointRCNN's bins (Shi, Wang, Li, CVPR 2019, 1812.04244, equations 2 and 3).

        bin = floor((x - xp + search) / bin_m),   residual = (x - xp + search) / bin_m - bin - 0.5

    With points for anchors, offsets are along x and y and the yaw is absolute: the first stage. With boxes for
    anchors, offsets are along and across the anchor and the yaw is relative to it: the second, whose published
    settings are search_m=1.5, bin_m=0.5, HeadingBins(9, pi / 2).

    A centre beyond the search range belongs to the nearest bin with a residual beyond half a bin, so that every box
    comes back; the authors' code clamps the offset itself, and trains a centre that is off by metres.

    Attributes:
        mean_size_m: length, width, height.
        search_m: bins reach from -search_m to search_m, a whole number of them.
        bin_m: width of a bin.
        heading: bins of the yaw.
    """

    mean_size_m: tuple[float, float, float]
    search_m: float = 3.0
    bin_m: float = 0.5
    heading: HeadingBins = field(default_factory=HeadingBins)

    def __post_init__(self) -> None:
        _check_sizes("mean_size_m", (self.mean_size_m,))
        if not (self.bin_m > 0 and self.search_m > 0):
            raise ValueError(f"search_m, bin_m: expected metres > 0, got {self.search_m} and {self.bin_m}")
        if abs(2 * self.search_m / self.bin_m - self.count) > 1e-6:
            raise ValueError(f"bin_m: expected whole bins in twice {self.search_m} m, got {self.bin_m}")

    @property
    def count(self) -> int:
        """Bins along each of x and y."""
        return max(1, round(2 * self.search_m / self.bin_m))

    def encode(self, boxes: Array, anchors: Array) -> PointRcnnCode:
        """Code of boxes (..., 7 or 9), whose velocity is not kept, against points (..., 3) or boxes (..., 7 or 9).

        Raises:
            ValueError: wrong shapes; boxes that are not finite or have no size (on CUDA not looked at).
            TypeError: not floating point, or an array and a tensor.
        """
        check_encodable(boxes)
        check_last_dim("anchors", anchors, (3, 7, 9))
        check_same_kind("anchors", anchors, "boxes", boxes)
        shift, yaw = boxes[..., :3] - anchors[..., :3], boxes[..., 6]
        x, y = shift[..., 0], shift[..., 1]
        if anchors.shape[-1] > 3:
            c, s = cos(anchors[..., 6]), sin(anchors[..., 6])
            x, y, yaw = c * x + s * y, c * y - s * x, wrap_angle(yaw - anchors[..., 6])
        place = (join([x, y]) + self.search_m) / self.bin_m
        bins = clip(floor(place), 0.0, self.count - 1.0)
        heading_bin, heading_residual = self.heading.encode(yaw)
        mean = _take((self.mean_size_m,), None, boxes)
        size_residual = (boxes[..., 3:6] - mean) / mean
        return PointRcnnCode(
            whole(bins), place - bins - 0.5, shift[..., 2], heading_bin, heading_residual, size_residual
        )

    def decode(self, code: PointRcnnCode, anchors: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable in residuals and height: (..., 7), yaw in [-pi, pi)."""
        check_last_dim("anchors", anchors, (3, 7, 9))
        place = (code.bins + code.residual + 0.5) * self.bin_m - self.search_m
        x, y = place[..., 0], place[..., 1]
        yaw = self.heading.decode(code.heading_bin, code.heading_residual)
        if anchors.shape[-1] > 3:
            check_boxes("anchors", anchors)
            c, s = cos(anchors[..., 6]), sin(anchors[..., 6])
            x, y, yaw = c * x - s * y, s * x + c * y, wrap_angle(yaw + anchors[..., 6])
        size = (code.size_residual + 1) * _take((self.mean_size_m,), None, code.size_residual)
        centre = [x + anchors[..., 0], y + anchors[..., 1], code.height + anchors[..., 2]]
        return join([*centre, *(size[..., i] for i in range(3)), yaw])


def _take(sizes: Sizes, index: Array | None, like: Array) -> Array:
    """(..., 3) sizes of an index, or those of the only one; in the dtype and on the device of ``like``."""
    table = like.new_tensor(sizes) if isinstance(like, torch.Tensor) else np.array(sizes, dtype=like.dtype)
    if index is None:
        return table[0]
    if not isinstance(index, torch.Tensor) or index.device.type == "cpu":
        bad = (index < 0) | (index >= len(sizes))
        if bool(bad.any()):
            raise ValueError(f"size_bin: expected 0 to {len(sizes) - 1}, got {int(index[bad][0])}")
    return table[index]


def _check_sizes(name: str, sizes: Sequence[Sequence[float]]) -> None:
    if not sizes or any(len(size) != 3 or not all(0 < side < math.inf for side in size) for size in sizes):
        raise ValueError(f"{name}: expected length, width and height > 0, got {sizes}")
