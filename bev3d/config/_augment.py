"""Settings: augmentation and sampling of the training split, beside ``flip``, ``rotate_rad`` and ``scale_range``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bev3d.config._refuse import check_by_class, refuse

__all__ = ["AugmentConfig"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Augmentation and sampling of the training split."""

    translate_std_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift training samples by a normal vector of these standard deviations along x, y, z in metres."""
    point_drop: float = 0.0
    """Probability with which a training point is left out."""
    object_point_drop: float = 0.0
    """Probability with which a training point inside a box is left out."""
    shuffle_points: bool = False
    """Training points in random order: for encoders that keep only the first points of a voxel."""
    class_balanced: bool = False
    """Draw training samples so that every class comes equally often (CBGS); a pass is then longer than the split."""
    paste_counts: tuple[int, ...] = ()
    """Objects of other training samples put into one, by class or one number for all; empty: none."""
    paste_fill_up: bool = True
    """Whether paste_counts is what a sample is filled up to, or what is added whatever it holds."""
    paste_min_points: tuple[int, ...] = (5,)
    """Fewest points of a pasted object, by class or one number for all."""
    paste_difficulties: tuple[int, ...] = ()
    """KITTI: difficulties of the objects that are pasted, 0 to 2, and -1 for harder than hard; empty: all."""
    paste_database: str = ""
    """Folder of the objects to paste, made if need be; empty: one in the user's cache folder."""
    paste_fade: float = 0.0
    """Share of the run, at its end, in which nothing is pasted, so that the last steps see whole scenes only."""

    def check_augmentation(self, classes: int) -> None:
        """Raise where the settings of augmentation cannot be for so many classes."""
        if not all(0 <= shift < math.inf for shift in self.translate_std_m):
            refuse("translate_std_m", "three numbers >= 0", self.translate_std_m)
        for key in ("point_drop", "object_point_drop"):
            if not 0 <= getattr(self, key) < 1:
                refuse(key, "a number in [0, 1)", getattr(self, key))
        if not 0 <= self.paste_fade <= 1:
            refuse("paste_fade", "a number in [0, 1]", self.paste_fade)
        check_by_class("paste_counts", self.paste_counts, classes, "integers >= 0", lambda n: n >= 0, optional=True)
        check_by_class("paste_min_points", self.paste_min_points, classes, "integers >= 1", lambda n: n >= 1)
        if not set(self.paste_difficulties) <= {-1, 0, 1, 2}:
            refuse("paste_difficulties", "numbers out of -1, 0, 1, 2", self.paste_difficulties)
