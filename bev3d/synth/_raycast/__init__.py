"""Numba kernels of the synthetic world; none of them holds the GIL or starts threads."""

from bev3d.synth._raycast._boxes import collides, count_inside
from bev3d.synth._raycast._ground import GROUND, ground_height
from bev3d.synth._raycast._intersect import CONE, ELLIPSOID, MAX_RANGE_M, PRISM
from bev3d.synth._raycast._scan import scan_kernel

__all__ = [
    "CONE",
    "ELLIPSOID",
    "GROUND",
    "MAX_RANGE_M",
    "PRISM",
    "collides",
    "count_inside",
    "ground_height",
    "scan_kernel",
]
