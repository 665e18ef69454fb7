"""A sparse backbone, beside gathering, products and scattering in eager torch, and as modules beside spconv."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Case, Cases, Limit, ours, peer
from bev3d.bench.cases._inputs import cloud
from bev3d.bench.cases._sparse_modules import SHAPE, module_cases
from bev3d.sparse import Rulebook, sparse_conv3d, strided_rulebook, submanifold_rulebook
from bev3d_ops.reference import _sparse as reference

__all__ = ["CASES", "Backbone", "backbone", "backbone_run", "eager_conv", "sites"]

CHANNELS = (16, 32, 64, 128)
Conv = Callable[[Tensor, Tensor, Rulebook], Tensor]


def sites(n: int, shape: Sequence[int] = SHAPE) -> Tensor:
    """About n voxels (V, 4) of a cloud, ascending: batch, z, y, x."""
    points, voxels = cloud(4 * n), np.zeros((0, 3), np.int64)
    size = np.array([0.2, 0.2, 0.2])
    cells = np.floor((points[:, :3] - [-51.2, -51.2, -5.0]) / size).astype(np.int64)[:, ::-1]
    cells = cells[((cells >= 0) & (cells < np.array(shape))).all(axis=1)]
    for take in (n, 2 * n, 4 * n):
        voxels = np.unique(cells[:take], axis=0)
        if len(voxels) >= n:
            break
    voxels = voxels[np.sort(np.random.default_rng(0).permutation(len(voxels))[:n])]
    return torch.from_numpy(np.concatenate([np.zeros((len(voxels), 1), np.int64), voxels], axis=1)).int()


@dataclass(frozen=True)
class Backbone:
    """Features of the sites, and per layer a weight and the place of its rulebook."""

    features: Tensor
    layers: list[tuple[Tensor, int]]
    coordinates: Tensor
    shape: tuple[int, int, int]


def backbone(coordinates: Tensor, shape: tuple[int, int, int] = SHAPE) -> Backbone:
    """Two submanifold layers at each of four resolutions, with strided ones between: 16 to 128 channels."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*size: int) -> Tensor:
        return (torch.randn(size, generator=generator) * 0.1).to(coordinates.device).requires_grad_()

    layers, book = [], 0
    for stage, channels in enumerate(CHANNELS):
        if stage:
            layers.append((drawn(channels, 3, 3, 3, CHANNELS[stage - 1]), 2 * stage - 1))
        book = 2 * stage
        layers += [(drawn(channels, 3, 3, 3, channels), book) for _ in range(2)]
    return Backbone(drawn(len(coordinates), CHANNELS[0]), layers, coordinates, shape)


def rulebooks(net: Backbone) -> list[Rulebook]:
    """Of a submanifold layer at even places, of a strided one at odd places."""
    books = [submanifold_rulebook(net.coordinates, net.shape, 3, batch_size=1)]
    for _ in CHANNELS[1:]:
        strided = strided_rulebook(books[-1].out_coordinates, books[-1].out_shape, 3, 2, 1, batch_size=1)
        books += [strided, submanifold_rulebook(strided.out_coordinates, strided.out_shape, 3, batch_size=1)]
    return books


def backbone_run(net: Backbone, conv: Conv, books: list[Rulebook] | None = None) -> Callable[[], Tensor]:
    """Forward and backward; rulebooks are made at each call where none are given."""
    wanted = [net.features, *(weight for weight, _ in net.layers)]

    def run() -> Tensor:
        known = rulebooks(net) if books is None else books
        features = net.features
        for weight, place in net.layers:
            features = torch.relu(conv(features, weight, known[place]))
        return torch.autograd.grad(features.square().sum(), wanted)[0]

    return run


def eager_conv(features: Tensor, weight: Tensor, book: Rulebook) -> Tensor:
    """Gather, product and scattered sum for each offset, as sparse convolution is usually written."""
    out = features.new_zeros((len(book.out_coordinates), weight.shape[0]))
    bounds = book.offsets.tolist()
    for k, matrix in enumerate(weight.permute(1, 2, 3, 4, 0).flatten(0, 2)):
        pair_in, pair_out = (pairs[bounds[k] : bounds[k + 1]].long() for pairs in (book.pair_in, book.pair_out))
        out = out.index_add(0, pair_out, features[pair_in] @ matrix)
    return out


def _backbone(small: bool) -> Case:
    n = 300 if small else 20_000
    coordinates = sites(n)
    net = backbone(coordinates)
    books = rulebooks(net)
    mine, theirs = backbone_run(net, sparse_conv3d, books), backbone_run(net, eager_conv, books)
    contestants = {
        "bev3d": ours(mine),
        "bev3d, 2 threads": ours(mine, threads=2),
        "bev3d, rulebooks too": ours(backbone_run(net, sparse_conv3d)),
        "gather, product, scatter in eager torch": peer(theirs),
        "gather, product, scatter in eager torch, 2 threads": peer(theirs, threads=2),
    }
    limits = (Limit("bev3d, 2 threads", "thread gain", 1.7, than="bev3d"),)
    truth = theirs().numpy()
    name = f"Sparse backbone forward and backward, {len(coordinates):,} voxels, 16 to 128 channels, float32"
    return Case(
        name, len(coordinates), "voxel", contestants, limits, truth, _relative, "greatest relative difference"
    )  # fmt: skip


def _relative(answer: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(answer - truth).max() / np.abs(truth).max())


def _rulebook(small: bool) -> Case:
    n = 300 if small else 60_000
    coordinates = sites(n)
    three = (3, 3, 3)

    def pairs(book: Rulebook) -> np.ndarray:
        return book.offsets.numpy()

    contestants = {
        "bev3d": ours(lambda: submanifold_rulebook(coordinates, SHAPE, 3, batch_size=1), read=pairs),
        "bev3d, 2 threads": ours(
            lambda: submanifold_rulebook(coordinates, SHAPE, 3, batch_size=1), threads=2, read=pairs
        ),
        "sort and binary search in eager torch": peer(
            lambda: reference.submanifold_pairs(coordinates, 1, SHAPE, three, (1, 1, 1)),
            read=lambda made: made[2].numpy(),
        ),
    }
    truth = contestants["sort and binary search in eager torch"].run()[2].numpy()
    name = f"Rulebook of a 3 x 3 x 3 submanifold layer, {len(coordinates):,} voxels"
    return Case(name, len(coordinates), "voxel", contestants, truth=truth, error_name="difference in numbers of pairs")


CASES: Cases = {"sparse": _backbone, "rulebook": _rulebook, **module_cases(sites)}
