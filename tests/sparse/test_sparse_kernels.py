"""The kernels themselves: widths of channels, threads, order of sites, gradients, and the device's code on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles.host_kernels import host_launch
from torch import Tensor

from bev3d.sparse import sparse_conv3d, sparse_max_pool3d, strided_rulebook, submanifold_rulebook
from bev3d_ops.cpu import _rulebook_reach
from bev3d_ops.cuda import _rulebook as cuda_rulebook
from bev3d_ops.cuda import _sparse as cuda
from bev3d_ops.reference import _sparse as reference
from bev3d_ops.registered import _sparse as ops

SHAPE = (6, 20, 20)


def sites(count: int, seed: int = 0, shape: tuple[int, ...] = SHAPE, batch: int = 1) -> Tensor:
    rng = np.random.default_rng(seed)
    cells = np.sort(rng.choice(batch * int(np.prod(shape)), count, replace=False))
    return torch.from_numpy(np.stack(np.unravel_index(cells, (batch, *shape)), axis=1))


def normal(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("channels", "out_channels"),
    [(1, 1), (1, 16), (7, 8), (8, 7), (9, 17), (16, 33), (33, 16), (40, 48), (3, 130), (130, 3), (0, 4), (4, 0)],
)
def test_every_width_of_channels_is_right(channels: int, out_channels: int, dtype: torch.dtype) -> None:
    rulebook = strided_rulebook(sites(300), SHAPE, 3, 2, 1, batch_size=1)
    pairs = (rulebook.pair_in, rulebook.pair_out, rulebook.offsets)
    features, weight = normal(300, channels), normal(out_channels, 3, 3, 3, channels, seed=1)
    count = len(rulebook.out_coordinates)
    expected = reference.sparse_conv(features, weight, None, *pairs, count)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-4
    actual = ops.sparse_conv(features.to(dtype), weight.to(dtype), None, *pairs, count)
    torch.testing.assert_close(actual, expected.to(dtype), rtol=tolerance, atol=tolerance)
    grad = normal(count, out_channels, seed=2)
    expected = reference.sparse_conv_weight_grad(features, grad, *pairs, [3, 3, 3])
    actual = ops.sparse_conv_weight_grad(features.to(dtype), grad.to(dtype), *pairs, [3, 3, 3])
    torch.testing.assert_close(actual, expected.to(dtype), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_last_bit_does_not_depend_on_the_number_of_threads(shuffled: bool) -> None:
    shape = (8, 60, 60)
    coordinates = sites(9000, shape=shape)
    if shuffled:
        coordinates = coordinates[torch.randperm(9000, generator=torch.Generator().manual_seed(0))]
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        rulebook = submanifold_rulebook(coordinates, shape, 3, batch_size=1)
        features = normal(9000, 24, dtype=torch.float32).requires_grad_()
        weight = normal(40, 3, 3, 3, 24, dtype=torch.float32, seed=1).requires_grad_()
        out = sparse_conv3d(features, weight, rulebook)
        pooled = sparse_max_pool3d(features, rulebook)
        grads = torch.autograd.grad([out, pooled], [features, weight], [torch.cos(out), torch.sin(pooled)])
        results.append((rulebook.pair_in, rulebook.pair_out, rulebook.offsets, out, pooled, *grads))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_the_order_of_the_sites_decides_only_the_order_of_the_rows() -> None:
    coordinates = sites(400)
    order = torch.randperm(400, generator=torch.Generator().manual_seed(3))
    features, weight = normal(400, 5), normal(6, 3, 3, 3, 5, seed=1)
    for make, moved in ((submanifold_rulebook, order), (strided_rulebook, slice(None))):
        one = sparse_conv3d(features, weight, make(coordinates, SHAPE, 3, batch_size=1))
        other = sparse_conv3d(features[order], weight, make(coordinates[order], SHAPE, 3, batch_size=1))
        torch.testing.assert_close(one[moved], other, rtol=1e-12, atol=1e-12)


def test_gradcheck() -> None:
    rulebook = strided_rulebook(sites(40), SHAPE, (3, 2, 1), (2, 1, 1), batch_size=1)
    features, weight, bias = (normal(*s).requires_grad_() for s in ((40, 3), (4, 3, 2, 1, 3), (4,)))
    assert torch.autograd.gradcheck(lambda *a: sparse_conv3d(a[0], a[1], rulebook, a[2]), (features, weight, bias))
    assert torch.autograd.gradcheck(lambda a: sparse_max_pool3d(a, rulebook), (features,))


def test_only_the_gradients_that_are_asked_for_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    rulebook = submanifold_rulebook(sites(50), SHAPE, 3, batch_size=1)
    features, weight = normal(50, 4), normal(4, 3, 3, 3, 4).requires_grad_()
    monkeypatch.setattr(ops, "sparse_conv", None)  # what the gradient of the features would call
    out = sparse_conv_through_op(features, weight, rulebook)
    (grad,) = torch.autograd.grad(out.sum(), weight)
    assert grad.abs().sum() > 0


def sparse_conv_through_op(features: Tensor, weight: Tensor, rulebook: Any) -> Tensor:
    pairs = (rulebook.pair_in, rulebook.pair_out, rulebook.offsets)
    result: Tensor = torch.ops.bev3d.sparse_conv(features, weight, None, *pairs, len(rulebook.out_coordinates))
    return result


def test_ranks_by_bits_and_by_sorting_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    by_bits = strided_rulebook(sites(500), SHAPE, 3, 2, 1, batch_size=1)
    monkeypatch.setattr(_rulebook_reach, "_MOST_WORDS", 0)
    by_sorting = strided_rulebook(sites(500), SHAPE, 3, 2, 1, batch_size=1)
    for name in ("pair_in", "pair_out", "offsets", "out_coordinates"):
        assert torch.equal(getattr(by_bits, name), getattr(by_sorting, name))


@pytest.mark.parametrize("channels", [4, 6, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_device_code_gathers_in_parts_and_sixteen_bytes_at_once(
    channels: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    rulebook = strided_rulebook(sites(300), SHAPE, 3, 2, 1, batch_size=1)
    pairs, count = (rulebook.pair_in, rulebook.pair_out, rulebook.offsets), len(rulebook.out_coordinates)
    features, weight = normal(300, channels, dtype=dtype), normal(5, 3, 3, 3, channels, dtype=dtype)
    grad = normal(count, 5, dtype=dtype)
    monkeypatch.setattr(cuda, "_CHUNK_BYTES", 27 * 8 * channels * 10)
    used: list[str] = []

    def launch(kernel: str, *arguments: Any) -> None:
        used.append(kernel)
        host_launch(kernel, *arguments)

    out = cuda.sparse_conv(launch, features, weight, None, *pairs, count)
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(out, ops.sparse_conv(features, weight, None, *pairs, count), **tolerance)
    wide = channels * features.element_size() % 16 == 0
    assert used.count("sparse.gather_chunks" if wide else "sparse.gather_rows") >= count // 20
    weight_grad = cuda.sparse_conv_weight_grad(launch, features, grad, *pairs, [3, 3, 3])
    torch.testing.assert_close(weight_grad, ops.sparse_conv_weight_grad(features, grad, *pairs, [3, 3, 3]), **tolerance)


def test_the_device_code_leaves_out_pairs_that_point_outside() -> None:
    pair_in, pair_out = torch.tensor([0, 9, -1, 1], dtype=torch.int32), torch.tensor([1, 0, 1, 5], dtype=torch.int32)
    arguments = (torch.ones(2, 3), torch.ones(4, 1, 1, 1, 3), None, pair_in, pair_out, torch.tensor([0, 4]), 2)
    out = cuda.sparse_conv(host_launch, *arguments)
    assert out.tolist() == [[0.0] * 4, [3.0] * 4]


def test_the_device_code_names_what_is_wrong_with_coordinates() -> None:
    sizes = (1, [4, 4, 4], [3, 3, 3], [1, 1, 1])
    with pytest.raises(ValueError, match=r"coordinates: .* got 1 of 2 rows outside"):
        cuda_rulebook.submanifold_pairs(host_launch, torch.tensor([[0, 0, 0, 0], [0, 4, 0, 0]]), *sizes)
    with pytest.raises(ValueError, match=r"coordinates: expected each site once, got 1 repeated"):
        cuda_rulebook.submanifold_pairs(host_launch, torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3]]), *sizes)


def test_the_device_code_takes_no_site() -> None:
    none = torch.zeros(0, 4, dtype=torch.int32)
    pair_in, _, offsets = cuda_rulebook.submanifold_pairs(host_launch, none, 1, [4, 4, 4], [3, 3, 3], [1, 1, 1])
    assert len(pair_in) == 0
    assert offsets.tolist() == [0] * 28
    reached, *_ = cuda_rulebook.strided_pairs(
        host_launch, none, 1, [4, 4, 4], [2, 2, 2], [3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], False
    )
    assert reached.shape == (0, 4)
    assert reached.dtype == torch.int32
