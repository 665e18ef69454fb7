"""A sparse backbone on a GPU."""

from __future__ import annotations

from bev3d.bench._case import Case, ours, peer
from bev3d.bench.cases._sparse import backbone, backbone_run, eager_conv, rulebooks, sites
from bev3d.bench.cases._sparse_modules import network_case
from bev3d.sparse import sparse_conv3d

__all__ = ["CASES"]


def _backbone(device: str, small: bool) -> Case:
    coordinates = sites(300 if small else 60_000).to(device)
    net = backbone(coordinates)
    books = rulebooks(net)
    contestants = {
        "bev3d": ours(backbone_run(net, sparse_conv3d, books)),
        "bev3d, rulebooks too": ours(backbone_run(net, sparse_conv3d)),
        "gather, product, scatter in eager torch": peer(backbone_run(net, eager_conv, books)),
    }
    name = f"Sparse backbone forward and backward, {len(coordinates):,} voxels, 16 to 128 channels, float32"
    return Case(name, len(coordinates), "voxel", contestants)


def _network(device: str, small: bool) -> Case:
    return network_case(sites(2_000 if small else 60_000).to(device), threads=(1,))


CASES = {"sparse": _backbone, "sparse-network": _network}
