"""CenterPoint's middle encoder of spconv's own modules: its states load, and the map is the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bev3d._errors import MissingPackageError
from bev3d.models._sparse_resnet import SparseResNet, SparseResNetSettings
from bev3d.sparse import Backend
from bev3d.sparse._backend import import_spconv


@pytest.fixture(params=["bev3d", "spconv"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "spconv":
        request.getfixturevalue("spconv")
    return request.param


@pytest.fixture(scope="module")
def spconv() -> Any:
    try:
        return import_spconv()
    except MissingPackageError:
        pytest.skip("spconv is not installed")


class PlainBlock(nn.Module):
    """A residual block of spconv's modules."""

    def __init__(self, spconv: Any, width: int, key: str) -> None:
        super().__init__()
        self.conv1, self.conv2 = (
            spconv.SubMConv3d(width, width, 3, bias=True, indice_key=key, algo=spconv.ConvAlgo.Native) for _ in range(2)
        )
        self.bn1, self.bn2 = (nn.BatchNorm1d(width, eps=1e-3, momentum=0.01) for _ in range(2))

    def forward(self, tensor: Any) -> Any:
        inner = self.conv1(tensor)
        inner = self.conv2(inner.replace_feature(torch.relu(self.bn1(inner.features))))
        return inner.replace_feature(torch.relu(self.bn2(inner.features) + tensor.features))


def plain(spconv: Any) -> nn.ModuleDict:
    """CenterPoint's middle encoder as its repository has it, of spconv's modules."""
    more = {"bias": False, "algo": spconv.ConvAlgo.Native}

    def stage(*layers: Any) -> nn.Sequential:
        return nn.Sequential(*layers)

    def conv(kind: Any, inputs: int, outputs: int, *sizes: Any, **keys: Any) -> list[Any]:
        return [
            kind(inputs, outputs, *sizes, **keys, **more),
            nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.01),
            nn.ReLU(),
        ]

    stages = {"conv_input": stage(*conv(spconv.SubMConv3d, 5, 16, 3, indice_key="res0"))}
    stages["conv1"] = stage(*(PlainBlock(spconv, 16, "res0") for _ in range(2)))
    for i, (width, padding) in enumerate([(32, 1), (64, 1), (128, [0, 1, 1])]):
        down = conv(spconv.SparseConv3d, width // 2, width, 3, 2, padding)
        stages[f"conv{i + 2}"] = stage(*down, *(PlainBlock(spconv, width, f"res{i + 1}") for _ in range(2)))
    stages["extra_conv"] = stage(*conv(spconv.SparseConv3d, 128, 128, (3, 1, 1), (2, 1, 1)))
    return nn.ModuleDict(stages)


def test_a_published_state_loads_strictly_and_gives_the_same_map(spconv: Any, backend: Backend) -> None:
    torch.manual_seed(1)
    theirs, shape = plain(spconv), (41, 48, 40)
    for part in theirs.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.uniform_(part.bias, -1, 1)
    ours = SparseResNet(5, shape, SparseResNetSettings(block_bias=True), backend=backend)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    coordinates = (torch.rand(1, *shape) < 0.05).nonzero().int().contiguous()
    features = torch.randn(len(coordinates), 5)
    tensor = spconv.SparseConvTensor(features, coordinates, list(shape), 1)
    for part in theirs.values():  # type: ignore[operator]
        for layer in part:
            spatial = isinstance(layer, PlainBlock) or hasattr(layer, "indice_key")
            tensor = layer(tensor) if spatial else tensor.replace_feature(layer(tensor.features))
    grid = torch.zeros(1, *tensor.spatial_shape, 128).index_put(tuple(tensor.indices.long().unbind(1)), tensor.features)
    expected = grid.permute(0, 4, 1, 2, 3).flatten(1, 2)
    actual = ours(features, coordinates, 1)
    assert actual.shape == (1, 256, 6, 5)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
