"""Bounds that turn an audit into a check."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from bev3d._errors import ConfigError

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Most that an audit may find; shares are of the boxes of known classes, None is no bound.

    Raises:
        ConfigError: a share outside [0, 1], or a bound that is negative or NaN.
    """

    max_out_of_range: float | None = None
    """Share of boxes whose centre lies outside the range."""
    max_over_max_objects: float | None = None
    """Share of boxes for which a task had no slot left."""
    max_collided: float | None = None
    """Share of boxes that share their cell with an earlier one of their task."""
    max_without_points: float | None = None
    """Share of boxes without LiDAR points."""
    max_min_radius: float | None = None
    """Share of boxes whose Gaussian has the least radius."""
    max_non_finite: float | None = 0.0
    """Share of boxes with a NaN, an infinity, or a size that is not positive."""
    max_size_outlier: float | None = None
    """Share of boxes with a size far from the median of their class."""
    max_duplicate: float | None = None
    """Share of boxes that overlap an earlier one of their class almost wholly."""
    max_yaw_against_velocity: float | None = None
    """Share of boxes that move across or against their heading."""
    max_decode_error: float | None = None
    """Largest difference between a box and its decoded target, metres, radians or metres per second."""
    max_unreadable: int | None = 0
    """Frames that cannot be read."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            share = field.name not in ("max_decode_error", "max_unreadable")
            if not value >= 0 or (share and value > 1) or math.isinf(value):
                expected = "a share in [0, 1]" if share else "a finite number >= 0"
                raise ConfigError(f"{field.name}: expected {expected}, got {value}")

    @property
    def shares(self) -> dict[str, float]:
        """The bounds on shares that are set, by the name of the flaw."""
        named = {field.name.removeprefix("max_"): getattr(self, field.name) for field in fields(self)}
        return {name: v for name, v in named.items() if v is not None and name not in ("decode_error", "unreadable")}
