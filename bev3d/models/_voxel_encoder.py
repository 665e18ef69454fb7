"""From point clouds through sparse voxels to a bird's-eye-view map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bev3d.models._sparse_resnet import SparseResNet, SparseResNetSettings
from bev3d.models._voxel_clouds import POINT_CHANNELS, VoxelCaps, join_clouds
from bev3d.points import dynamic_voxelize, grid_shape, scatter_mean, voxelize
from bev3d.sparse import Backend

__all__ = ["VoxelEncoder"]


class VoxelEncoder(nn.Module):
    """Means of the points of each voxel, and a sparse residual backbone over them.

    Two halves: :meth:`prepare` sorts points into voxels, on the CPU and without parameters, as a loader's thread may;
    :meth:`forward` is the network.

    Args:
        range_m: x0, y0, z0, x1, y1, z1 in metres, a whole number of voxels.
        voxel_size_m: along x, y and z in metres.
        caps: of hard voxelisation, which keeps the points and voxels that come first; None for dynamic voxelisation,
            which keeps all.
        settings: of the backbone.
        backend: of the sparse convolutions, see :func:`bev3d.sparse.resolve_backend`; ``backbone.backend`` afterwards.

    Attributes:
        backbone: the :class:`SparseResNet`. Its grid has one cell more in height than the range, as published networks
            do, so that strides of 2 leave no cell over.
        out_channels: of the map.
        out_shape: its H, W.
    """

    def __init__(
        self,
        range_m: Sequence[float],
        voxel_size_m: Sequence[float],
        *,
        caps: VoxelCaps | None = None,
        settings: SparseResNetSettings | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.range_m, self.voxel_size_m, self.caps = tuple(range_m), tuple(voxel_size_m), caps
        depth, height, width = grid_shape(range_m, voxel_size_m)
        self.backbone = SparseResNet(POINT_CHANNELS, (depth + 1, height, width), settings, backend=backend)
        self.out_channels, self.out_shape = self.backbone.out_channels, self.backbone.out_shape

    def prepare(self, clouds: Sequence[NDArray[np.float32]], *, training: bool = False) -> dict[str, Tensor]:
        """Inputs of :meth:`forward`, on the CPU.

        Args:
            clouds: of each sample (P, 5) x, y, z in metres, intensity, time lag in seconds. A point outside the range
                or with a coordinate that is not finite is left out.
            training: which of the two caps on voxels applies.

        Returns:
            ``voxel_features`` (V, 5) float32 means, ``voxel_coordinates`` (V, 4) int32 sample, z, y, x, ascending.

        Raises:
            ValueError: no cloud, or one that is not (P, 5).
            TypeError: a cloud that is not an array of floats.
        """
        points, sample = join_clouds(clouds)
        if self.caps is None:
            found = dynamic_voxelize(points, range_m=self.range_m, voxel_size_m=self.voxel_size_m, batch_index=sample)
            coordinates = found.coordinates
            means = scatter_mean(points, found.point_to_voxel, len(coordinates))
        else:
            kept = voxelize(
                points,
                range_m=self.range_m,
                voxel_size_m=self.voxel_size_m,
                max_points_per_voxel=self.caps.max_points,
                max_voxels=self.caps.max_voxels(training),
                batch_index=sample,
            )
            coordinates = kept.coordinates
            means = kept.voxels.sum(axis=1) / np.maximum(kept.num_points, 1)[:, None].astype(np.float32)
        return {
            "voxel_features": torch.from_numpy(means),
            "voxel_coordinates": torch.from_numpy(coordinates.astype(np.int32)),
        }

    def forward(self, inputs: Mapping[str, Tensor], batch_size: int) -> Tensor:
        """Map (B, out_channels, H, W) of what :meth:`prepare` made, on any device; the batch may hold no voxel."""
        bev: Tensor = self.backbone(inputs["voxel_features"], inputs["voxel_coordinates"], batch_size)
        return bev
