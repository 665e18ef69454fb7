"""What a pillar network is told about a point beside its own columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bev3d.points import scatter_mean

__all__ = ["decorate_points"]


def decorate_points(
    points: NDArray[np.float32],
    pillar: NDArray[np.int64],
    coordinates: NDArray[np.int64],
    range_m: Sequence[float],
    size_m: Sequence[float],
) -> NDArray[np.float32]:
    """The columns of each point, its offset from the mean of its pillar's points, and from the pillar's centre.

    Args:
        points: (N, C >= 3) x, y, z in metres, then whatever else.
        pillar: (N,) of each point, a row of ``coordinates``.
        coordinates: (V, 4) sample, z, y, x.
        range_m: x0, y0, z0 and more in metres.
        size_m: of a pillar along x, y, z in metres.

    Returns:
        (N, C + 6) float32: the columns; x, y, z minus their means; x, y, z minus the centre.
    """
    # in float64: far from the origin a difference of float32 numbers is not much more exact than a millimetre
    places = points[:, :3].astype(np.float64)
    means = scatter_mean(places, pillar, len(coordinates))
    centres = (coordinates[:, :0:-1] + 0.5) * np.asarray(size_m) + np.asarray(range_m[:3])
    offsets = [places - means[pillar], places - centres[pillar]]
    return np.concatenate([points, *offsets], axis=1, dtype=np.float32, casting="same_kind")
