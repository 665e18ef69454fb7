"""From point clouds through a learned pillar network to a bird's-eye-view map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bev3d.models._voxel_clouds import POINT_CHANNELS, VoxelCaps, join_clouds
from bev3d.models._voxel_decorate import decorate_points
from bev3d.points import dynamic_voxelize, grid_shape, scatter_max, voxelize
from bev3d.sparse import apply_to_rows, sparse_to_bev

__all__ = ["PillarEncoder"]

Prepared = tuple[NDArray[np.int64], dict[str, Tensor]]


class PillarEncoder(nn.Module):
    """Pillar feature net of PointPillars (Lang et al. 2019, arXiv:1812.05784), scattered to a map.

    Two halves as in :class:`bev3d.models.VoxelEncoder`. The features of a point are its five columns, its distance
    from the mean of its pillar's points (3) and from the pillar's centre in x, y and, if wanted, z.

    With ``caps`` a pillar has ``max_points`` slots, and those that are empty go through the net as zeros, as in every
    published pillar network, whose batch statistics and maxima see them: weights move either way. Without, no point is
    dropped and no zero added (dynamic voxelisation, Zhou et al. 2019, arXiv:1910.06528).

    Args:
        range_m: x0, y0, z0, x1, y1, z1 in metres; x and y a whole number of pillars.
        pillar_size_m: along x and y in metres; a pillar is as high as the range.
        caps: of hard voxelisation, or None for dynamic.
        filters: channels of the layers; one but the last has half of them followed by the other half, their maximum
            over the pillar.
        height_offset: whether the distance from the centre in z is a feature.

    Attributes:
        out_channels: of the map, the last of ``filters``.
        out_shape: its H, W.
    """

    def __init__(
        self,
        range_m: Sequence[float],
        pillar_size_m: Sequence[float],
        *,
        caps: VoxelCaps | None = None,
        filters: Sequence[int] = (64,),
        height_offset: bool = False,
    ) -> None:
        super().__init__()
        if len(pillar_size_m) != 2:
            raise ValueError(f"pillar_size_m: expected two sizes, along x and y, got {tuple(pillar_size_m)}")
        if not filters or min(filters) < 1 or any(width % 2 for width in filters[:-1]):
            raise ValueError(f"filters: expected sizes >= 1, even but for the last, got {tuple(filters)}")
        self.range_m, self.caps, self.height_offset = tuple(range_m), caps, height_offset
        self.pillar_size_m = (*pillar_size_m, range_m[5] - range_m[2])
        _, height, width = grid_shape(range_m, self.pillar_size_m)
        self.out_shape, self.out_channels = (height, width), filters[-1]
        self.in_channels = POINT_CHANNELS + 5 + height_offset
        widths = [self.in_channels, *filters]
        layers = [PillarLayer(*widths[i : i + 2], last=i == len(filters) - 1) for i in range(len(filters))]
        self.pfn_layers = nn.ModuleList(layers)

    def prepare(self, clouds: Sequence[NDArray[np.float32]], *, training: bool = False) -> dict[str, Tensor]:
        """Inputs of :meth:`forward`, on the CPU; arguments and errors as :meth:`bev3d.models.VoxelEncoder.prepare`.

        Returns:
            ``pillar_coordinates`` (V, 4) int32 sample, 0, y, x, ascending, and dynamic: ``point_features`` (N, C)
            float32 and ``point_to_pillar`` (N,) int64; hard: ``pillar_features`` (V, max_points, C) float32.
        """
        points, sample = join_clouds(clouds)
        coordinates, made = self._dynamic(points, sample) if self.caps is None else self._hard(points, sample, training)
        return made | {"pillar_coordinates": torch.from_numpy(coordinates.astype(np.int32))}

    def _dynamic(self, points: NDArray[np.float32], sample: NDArray[np.int64]) -> Prepared:
        found = dynamic_voxelize(points, range_m=self.range_m, voxel_size_m=self.pillar_size_m, batch_index=sample)
        inside = found.point_to_voxel >= 0
        pillar = found.point_to_voxel[inside]
        features = self._features(points[inside], pillar, found.coordinates)
        made = {"point_features": torch.from_numpy(features), "point_to_pillar": torch.from_numpy(pillar)}
        return found.coordinates, made

    def _hard(self, points: NDArray[np.float32], sample: NDArray[np.int64], training: bool) -> Prepared:
        assert self.caps is not None
        kept = voxelize(
            points,
            range_m=self.range_m,
            voxel_size_m=self.pillar_size_m,
            max_points_per_voxel=self.caps.max_points,
            max_voxels=self.caps.max_voxels(training),
            batch_index=sample,
        )
        filled = np.arange(self.caps.max_points) < kept.num_points[:, None]
        padded = np.zeros((*filled.shape, self.in_channels), np.float32)
        padded[filled] = self._features(kept.voxels[filled], np.nonzero(filled)[0], kept.coordinates)
        return kept.coordinates, {"pillar_features": torch.from_numpy(padded)}

    def _features(
        self, points: NDArray[np.float32], pillar: NDArray[np.int64], coordinates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        features = decorate_points(points, pillar, coordinates, self.range_m, self.pillar_size_m)
        return features if self.height_offset else np.ascontiguousarray(features[:, :-1])

    def forward(self, inputs: Mapping[str, Tensor], batch_size: int) -> Tensor:
        """Map (B, out_channels, H, W), 0 where no pillar is, of what :meth:`prepare` made, on any device.

        Computed in the parameters' dtype under autocast too: metres do not fit bfloat16.
        """
        coordinates = inputs["pillar_coordinates"]
        with torch.autocast(coordinates.device.type, enabled=False):
            if "point_features" in inputs:
                rows, pillar = inputs["point_features"], inputs["point_to_pillar"]
                for layer in self._layers():
                    rows = layer.dynamic(rows, pillar, len(coordinates))
            else:
                rows = inputs["pillar_features"]
                for layer in self._layers():
                    rows = layer.padded(rows)
                rows = rows.squeeze(1)
            return sparse_to_bev(rows, coordinates, (1, *self.out_shape), batch_size=batch_size)

    def _layers(self) -> list[PillarLayer]:
        return [layer for layer in self.pfn_layers if isinstance(layer, PillarLayer)]


class PillarLayer(nn.Module):
    """Linear, batch norm, ReLU for each point, and the maximum over the pillar."""

    def __init__(self, in_channels: int, out_channels: int, *, last: bool) -> None:
        super().__init__()
        width = out_channels if last else out_channels // 2
        self.last = last
        self.linear = nn.Linear(in_channels, width, bias=False)
        self.norm = nn.BatchNorm1d(width, eps=1e-3, momentum=0.01)

    def dynamic(self, rows: Tensor, pillar: Tensor, count: int) -> Tensor:
        """Points (N, C) to pillars (count, C') in the last layer, to points (N, C') before."""
        rows = apply_to_rows(self.norm, self.linear(rows))
        if self.last:  # ReLU is monotone: after the maximum it is the same, and a pillar has many points
            return torch.relu(scatter_max(rows, pillar, count))
        rows = torch.relu(rows)
        return torch.cat([rows, scatter_max(rows, pillar, count)[pillar]], dim=1)

    def padded(self, slots: Tensor) -> Tensor:
        """Slots (V, T, C) to (V, 1, C') in the last layer, to (V, T, C') before."""
        rows = apply_to_rows(self.norm, self.linear(slots).flatten(0, 1)).unflatten(0, slots.shape[:2])
        if self.last:
            return torch.relu(rows.amax(dim=1, keepdim=True))
        rows = torch.relu(rows)
        return torch.cat([rows, rows.amax(dim=1, keepdim=True).expand_as(rows)], dim=2)
