"""Features at the occupied cells of a 3D grid, as layers hand them on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from bev3d.sparse._backend import Backend, resolve_backend
from bev3d.sparse._check import Three, check_coordinates, check_features, three
from bev3d.sparse._dense import sparse_to_bev, sparse_to_dense
from bev3d.sparse._sites import check_sites

__all__ = ["Connection", "Geometry", "SparseTensor"]


@dataclass(frozen=True)
class Geometry:
    """What decides which site a convolution or pool connects with which."""

    kernel_size: Three
    stride: Three = (1, 1, 1)
    padding: Three = (0, 0, 0)
    dilation: Three = (1, 1, 1)
    submanifold: bool = False


@dataclass(frozen=True, eq=False)
class Connection:
    """Sites that a layer connected, for the layers that share its ``indice_key``.

    Attributes:
        geometry: of the layer that made it.
        in_coordinates, in_shape: sites and grid that it read.
        out_coordinates, out_shape: sites and grid that it wrote.
        pairs: a Rulebook, what spconv keeps, or None where no pair is.
    """

    geometry: Geometry
    in_coordinates: Tensor
    in_shape: Three
    out_coordinates: Tensor
    out_shape: Three
    pairs: Any


@dataclass(frozen=True, eq=False)
class SparseTensor:
    """Features of the occupied cells of a batch of grids.

    The backend is chosen here, where a network begins, and not in its layers: a network has one set of parameters and
    runs with either.

    Args:
        features: (V, C) float32, float64 or a half.
        coordinates: (V, 4) int32 or int64 batch, z, y, x, each site once; kept as int32. Ascending order is fastest.
        spatial_shape: sizes D, H, W of the grid in cells.
        batch_size: number of samples; some may have no site.
        backend: ``auto``, ``bev3d`` or ``spconv``, see :func:`bev3d.sparse.resolve_backend`; ``bev3d`` or ``spconv``
            afterwards.
        connections: by ``indice_key``, what the layers so far connected; leave it out.
        checked: whether the sites are known to be distinct and inside the grid; leave it out.

    Raises:
        ValueError: shapes that do not fit together, different devices, sizes below 1, an unknown backend, a site
            outside the grid or given twice (a GPU is waited for once to know).
        TypeError: wrong dtypes.
        MissingPackageError: spconv asked for and not installed.
    """

    features: Tensor
    coordinates: Tensor
    spatial_shape: Three
    batch_size: int
    backend: Backend = "auto"
    connections: dict[str, Connection] = field(default_factory=dict, repr=False)
    checked: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        check_coordinates(self.coordinates)
        check_features(self.features, self.coordinates, "coordinates")
        backend = resolve_backend(self.backend, self.features.device, self.features.dtype)
        object.__setattr__(self, "backend", backend)
        if self.checked:
            return
        shape = three("spatial_shape", self.spatial_shape, 1)
        if not isinstance(self.batch_size, int) or isinstance(self.batch_size, bool):
            raise TypeError(f"batch_size: expected an integer, got {self.batch_size!r}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected >= 1, got {self.batch_size}")
        check_sites(self.coordinates, (self.batch_size, *shape))
        object.__setattr__(self, "coordinates", self.coordinates.to(torch.int32).contiguous())
        object.__setattr__(self, "spatial_shape", shape)
        object.__setattr__(self, "checked", True)

    def replace_features(self, features: Tensor) -> SparseTensor:
        """The same sites with other features (V, C')."""
        return replace(self, features=features)

    def at_sites(self, connection: Connection, features: Tensor, key: str | None) -> SparseTensor:
        """Features where ``connection`` leads to; it is kept under ``key``."""
        kept = self.connections if key is None else self.connections | {key: connection}
        sites, shape = connection.out_coordinates, connection.out_shape
        return replace(self, features=features, coordinates=sites, spatial_shape=shape, connections=kept)

    def back_at_sites(self, connection: Connection, features: Tensor) -> SparseTensor:
        """Features where ``connection`` started from."""
        return replace(
            self, features=features, coordinates=connection.in_coordinates, spatial_shape=connection.in_shape
        )

    def dense(self) -> Tensor:
        """(B, C, D, H, W), see :func:`bev3d.sparse.sparse_to_dense`."""
        return sparse_to_dense(self.features, self.coordinates, self.spatial_shape, batch_size=self.batch_size)

    def bev(self) -> Tensor:
        """(B, C * D, H, W), see :func:`bev3d.sparse.sparse_to_bev`."""
        return sparse_to_bev(self.features, self.coordinates, self.spatial_shape, batch_size=self.batch_size)
