"""Sparse tensors and modules with arguments that are wrong, and which backend is taken."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bev3d._errors import MissingPackageError
from bev3d.sparse import (
    SparseConv3d,
    SparseInverseConv3d,
    SparseMaxPool3d,
    SparseSequential,
    SparseTensor,
    SubMConv3d,
    resolve_backend,
    strided_rulebook,
)
from bev3d.sparse._geometry import reaches_anything
from bev3d.sparse._sites import check_on_device
from bev3d.sparse._tensor import Geometry

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SHAPE = (4, 5, 6)


def tensor(backend: str = "bev3d", rows: list[list[int]] | None = None, channels: int = 3, **more: Any) -> SparseTensor:
    coordinates = torch.tensor(rows or [[0, 0, 0, 0], [0, 1, 2, 3], [1, 3, 4, 5]])
    right = {"spatial_shape": SHAPE, "batch_size": 2, "backend": backend}
    return SparseTensor(torch.ones(len(coordinates), channels), coordinates, **(right | more))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ([0, 4, 0, 0], r"\[0, 4, 0, 0\] in row 1"),
        ([0, 0, 0, -1], "in row 1"),
        ([2, 0, 0, 0], "in row 1"),
        ([0, 0, 0, 2**32], "in row 1"),  # would be 0 in 32 bits
    ],
)
def test_a_site_outside_is_an_error_that_shows_it(row: list[int], text: str, backend: str) -> None:
    with pytest.raises(ValueError, match=r"coordinates: expected 0 <= \(batch, z, y, x\) < \(2, 4, 5, 6\).*" + text):
        tensor(backend, [[0, 0, 0, 0], row])


def test_a_repeated_site_is_an_error_that_shows_it(backend: str) -> None:
    with pytest.raises(ValueError, match=r"each site once, got \[0, 1, 2, 3\] in rows 0 and 2"):
        tensor(backend, [[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 3]])


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([[0, 0, 0, 0], [0, 4, 0, 0], [2, 0, 0, -1]], r"< \(2, 4, 5, 6\), got 2 of 3 rows outside"),
        ([[0, 0, 0, 2**32], [0, 0, 0, 0]], "got 1 of 2 rows outside"),
        ([[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 3]], "each site once, got 1 repeated"),
    ],
)
def test_the_check_of_other_devices_counts(rows: list[list[int]], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check_on_device(torch.tensor(rows), (2, *SHAPE))
    check_on_device(torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0], [1, 3, 4, 5]]), (2, *SHAPE))
    check_on_device(torch.zeros(0, 4).long(), (2, *SHAPE))
    with pytest.raises(ValueError, match=r"fewer than 2\*\*62 cells"):
        check_on_device(torch.zeros(0, 4).long(), (2**31, 2**30, 2, 1))


@pytest.mark.parametrize(
    ("error", "text", "make"),
    [
        (ValueError, "batch_size: expected >= 1, got 0", lambda: tensor(batch_size=0)),
        (TypeError, "batch_size: expected an integer, got 1.0", lambda: tensor(batch_size=1.0)),
        (ValueError, "spatial_shape: .* three", lambda: tensor(spatial_shape=(4, 5))),
        (ValueError, r"spatial_shape: expected sizes below 2\*\*31", lambda: tensor(spatial_shape=(4, 5, 2**31))),
        (ValueError, r"spatial_shape: expected fewer than 2\*\*62", lambda: tensor(spatial_shape=2**30)),
        (ValueError, "backend: expected one of auto, bev3d, spconv, got 'cuda'", lambda: tensor("cuda")),
        (ValueError, r"features: expected shape \(3, C\)", lambda: tensor().replace_features(torch.ones(2, 3))),
        (TypeError, "features: expected a floating", lambda: tensor().replace_features(torch.ones(3, 3).int())),
        (TypeError, "coordinates: expected dtype", lambda: SparseTensor(torch.ones(1, 1), torch.ones(1, 4), 2, 1)),
        (TypeError, "coordinates: expected a torch", lambda: SparseTensor(torch.ones(1, 1), [[0] * 4], 2, 1)),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_of_a_tensor(error: type[Exception], text: str, make: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    ("error", "text", "make"),
    [
        (ValueError, r"kernel_size: expected odd sizes, got \(3, 2, 3\)", lambda: SubMConv3d(3, 3, (3, 2, 3))),
        (ValueError, "in_channels: expected >= 1, got 0", lambda: SubMConv3d(0, 3, 3)),
        (TypeError, "out_channels: expected an integer", lambda: SparseConv3d(3, 3.0, 3)),  # type: ignore[arg-type]
        (ValueError, "stride: .* >= 1, got 0", lambda: SparseConv3d(3, 3, 3, 0)),
        (ValueError, "padding: .* >= 0", lambda: SparseConv3d(3, 3, 3, 1, -1)),
        (ValueError, "dilation: .* >= 1", lambda: SubMConv3d(3, 3, 3, dilation=0)),
        (TypeError, "indice_key: .* got ''", lambda: SubMConv3d(3, 3, 3, indice_key="")),
        (TypeError, "indice_key: .* got None", lambda: SparseInverseConv3d(3, 3, 3, indice_key=None)),  # type: ignore[arg-type]
        (ValueError, "kernel_size: .* >= 1", lambda: SparseMaxPool3d(0)),
    ],
)
def test_wrong_arguments_of_a_module(error: type[Exception], text: str, make: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    ("error", "text", "layers"),
    [
        (ValueError, "features: expected 4 channels, got 3", [SubMConv3d(4, 3, 3)]),
        (TypeError, "weight's dtype torch.float64, got torch.float32", [SubMConv3d(3, 3, 3).double()]),
        (ValueError, "shape of the output: ", [SparseConv3d(3, 3, 7)]),
        (
            ValueError,
            "'a' to be of layers with this kernel",
            [SubMConv3d(3, 3, 3, indice_key="a"), SubMConv3d(3, 3, 5, indice_key="a")],
        ),
        (
            ValueError,
            "'a' to be of layers with this kernel and dilation at these sites",
            [SubMConv3d(3, 3, 3, indice_key="a"), SparseConv3d(3, 3, 2, 2), SubMConv3d(3, 3, 3, indice_key="a")],
        ),
        (
            ValueError,
            "a name that no layer before has, got 'a'",
            [SubMConv3d(3, 3, 3, indice_key="a"), SparseConv3d(3, 3, 3, 1, 1, indice_key="a")],
        ),
        (
            ValueError,
            "a name that no layer before has, got 'a'",
            [SubMConv3d(3, 3, 3, indice_key="a"), SparseMaxPool3d(2, indice_key="a")],
        ),
        (ValueError, "name of a strided layer before, got 'b'", [SparseInverseConv3d(3, 3, 3, indice_key="b")]),
        (
            ValueError,
            "name of a strided layer before, got 'a'",
            [SubMConv3d(3, 3, 3, indice_key="a"), SparseInverseConv3d(3, 3, 3, indice_key="a")],
        ),
        (
            ValueError,
            r"kernel \(3, 3, 3\) that led to these sites, got one with \(2, 2, 2\)",
            [SparseConv3d(3, 3, 2, 2, indice_key="a"), SparseInverseConv3d(3, 3, 3, indice_key="a")],
        ),
        (
            ValueError,
            "that led to these sites",
            [
                SparseConv3d(3, 3, 2, 2, indice_key="a"),
                SparseConv3d(3, 3, 2, 2),
                SparseInverseConv3d(3, 3, 2, indice_key="a"),
            ],
        ),
    ],
)
def test_layers_that_do_not_fit_together(
    error: type[Exception], text: str, layers: list[nn.Module], backend: str
) -> None:
    with pytest.raises(error, match=text):
        SparseSequential(*layers)(tensor(backend))


def test_a_dense_tensor_is_no_sparse_one() -> None:
    with pytest.raises(TypeError, match="SubMConv3d: expected a SparseTensor, got Tensor"):
        SubMConv3d(3, 3, 3)(torch.ones(3, 3))


@pytest.mark.parametrize("seed", range(8))
def test_whether_anything_is_reached_is_what_the_rulebook_finds(seed: int) -> None:
    """spconv's GPU kernels raise where nothing is. Site by site, since one that arrives hides the others."""
    rng = torch.Generator().manual_seed(seed)

    def drawn(low: int, high: int) -> tuple[int, int, int]:
        z, y, x = torch.randint(low, high + 1, (3,), generator=rng).tolist()
        return z, y, x

    geometry = Geometry(drawn(1, 2), drawn(1, 4), drawn(0, 1), drawn(1, 4))
    shape = (6, 7, 5)
    found = set()
    for site in torch.cartesian_prod(torch.zeros(1).long(), *(torch.arange(size) for size in shape)):
        g = geometry
        book = strided_rulebook(site[None], shape, g.kernel_size, g.stride, g.padding, g.dilation, batch_size=1)
        found.add(len(book.pair_in) > 0)
        assert reaches_anything(site[None], shape, geometry) == (len(book.pair_in) > 0)
    assert True in found
    assert not reaches_anything(torch.zeros(0, 4), shape, geometry)


def test_what_a_module_says_of_itself() -> None:
    assert repr(SubMConv3d(3, 4, 3, indice_key="a")) == "SubMConv3d(3, 4, kernel_size=(3, 3, 3), indice_key='a')"
    strided = SparseConv3d(3, 4, 3, 2, 1, bias=True)
    assert "stride=(2, 2, 2), padding=(1, 1, 1), bias=True" in repr(strided)


def test_coordinates_are_kept_in_32_bits_and_contiguous() -> None:
    made = tensor(rows=[[0, 1, 2, 3], [1, 0, 0, 0]])
    assert made.coordinates.dtype == torch.int32
    assert made.coordinates.is_contiguous()
    assert (made.backend, made.spatial_shape) == ("bev3d", SHAPE)


def test_auto_is_spconv_on_a_gpu_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert resolve_backend("auto", GPU) == "spconv"
    assert resolve_backend("auto", GPU, torch.float16) == "spconv"
    assert resolve_backend("auto", GPU, torch.float64) == "bev3d"
    assert resolve_backend("auto", CPU) == "bev3d"
    assert resolve_backend("bev3d", GPU) == "bev3d"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert resolve_backend("auto", GPU) == "bev3d"


def test_spconv_on_a_gpu_wants_a_dtype_it_knows() -> None:
    with pytest.raises(
        TypeError, match=r"expected float32 or float16 for backend 'spconv' on a GPU, got torch.float64"
    ):
        resolve_backend("spconv", GPU, torch.float64)


def test_asking_for_spconv_where_it_is_absent_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "spconv"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "spconv", None)  # type: ignore[arg-type]
    with pytest.raises(MissingPackageError, match=r"backend 'spconv'.*pip install 'bev3d\[spconv\]'"):
        tensor("spconv")
