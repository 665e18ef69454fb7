"""Boxes as what a head regresses, and back.

Each coder is a frozen dataclass with ``encode`` and ``decode``, for NumPy arrays and tensors; ``slices`` names the
columns of a code, so that weights can be given by name.
"""

from bev3d.targets.coders._bins import FPointNetCode, FPointNetCoder, PointRcnnCode, PointRcnnCoder
from bev3d.targets.coders._cells import CentreCoder, TransFusionCoder
from bev3d.targets.coders._heading import DirectionBins, HeadingBins, MultibinCoder
from bev3d.targets.coders._rdiou import RdiouCoder
from bev3d.targets.coders._residual import ResidualCoder

__all__ = [
    "CentreCoder",
    "DirectionBins",
    "FPointNetCode",
    "FPointNetCoder",
    "HeadingBins",
    "MultibinCoder",
    "PointRcnnCode",
    "PointRcnnCoder",
    "RdiouCoder",
    "ResidualCoder",
    "TransFusionCoder",
]
