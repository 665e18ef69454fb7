"""The sparse residual backbone as a user trains it, run by either backend of its modules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d._errors import MissingPackageError
from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.models._sparse_resnet import SparseResNet
from bev3d.sparse import Backend
from bev3d.sparse._backend import import_spconv

__all__ = ["module_cases", "network_case"]

CHANNELS = 16
SHAPE = (41, 512, 512)  # z, y, x
LEAST_GAIN = 1.3


def network_case(coordinates: Tensor, *, threads: tuple[int, ...] = (1, 2)) -> Case:
    """Forward and backward in training mode, rulebooks and batch norms included, at sites (V, 4) of one sample."""
    torch.manual_seed(0)
    network = SparseResNet(CHANNELS, SHAPE).to(coordinates.device)
    features = torch.randn(len(coordinates), CHANNELS).to(coordinates.device)
    contestants: dict[str, Contestant] = {}
    limits: tuple[Limit, ...] = ()
    for count in threads:
        more = "" if count == 1 else f", {count} threads"
        contestants["bev3d" + more] = ours(_step(network, features, coordinates, "bev3d"), count)
        if _has_spconv():
            contestants["spconv" + more] = peer(_step(network, features, coordinates, "spconv"), count)
            limits += (Limit("bev3d" + more, "times faster", LEAST_GAIN, than="spconv" + more),)
    truth = None
    if coordinates.device.type == "cpu":
        truth = _step(copy.deepcopy(network).double(), features.double(), coordinates, "bev3d")().numpy()
    else:
        limits = ()
    name = f"Sparse ResNet, forward and backward with its rulebooks, {len(coordinates):,} voxels, 16 to 128 channels"
    return Case(name, len(coordinates), "voxel", contestants, limits, truth, _relative, "greatest relative difference")


def _step(network: SparseResNet, features: Tensor, coordinates: Tensor, backend: Backend) -> Callable[[], Tensor]:
    """The map, after the gradients of features and weights: of those a unit that is 0 in one precision alone jumps."""
    start = features.clone().requires_grad_()
    wanted = [start, *network.parameters()]

    def run() -> Tensor:
        network.backend = backend
        bev = network(start, coordinates, 1)
        torch.autograd.grad(bev.square().sum(), wanted)
        return bev.detach()

    return run


def _has_spconv() -> bool:
    try:
        import_spconv()
    except MissingPackageError:
        return False
    return True


def _relative(answer: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(answer - truth).max() / np.abs(truth).max())


def module_cases(sites: Callable[[int], Tensor]) -> Cases:
    """One case for each number of voxels."""
    return {f"sparse-network-{n // 1000}k": partial(_case, sites, n) for n in (20_000, 40_000, 60_000)}


def _case(sites: Callable[[int], Tensor], n: int, small: bool) -> Case:
    return network_case(sites(2_000 if small else n))
