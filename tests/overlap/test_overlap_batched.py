"""All matrices of a batch in one call: those of one sample after another, and nothing between samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import adversarial
from oracles.host_grid import grid_launch
from oracles.host_kernels import host_launch

from bev3d import overlap
from bev3d.overlap import batched_pairwise_iou_bev, pairwise_iou_bev
from bev3d_ops._overlap_kinds import IOU_BEV
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.registered._overlap_pairwise import batched_pairwise_overlap

FORMS = ["iou_bev", "iou_3d", "intersection_bev"]


def boxes(count: int, seed: int) -> np.ndarray:
    return adversarial.boxes(np.random.default_rng(seed), count, spread=4)


def ends(sizes: list[int]) -> list[int]:
    return np.cumsum([0, *sizes]).tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["float64", "float32", "tensor"])
def test_a_sample_has_the_matrix_that_it_has_alone(form: str, kind: str) -> None:
    sizes_a, sizes_b = [5, 0, 70, 3, 1], [9, 4, 130, 0, 1]
    a, b = boxes(sum(sizes_a), 1), boxes(sum(sizes_b), 2)
    if kind == "tensor":
        a, b = torch.from_numpy(a), torch.from_numpy(b)
    else:
        a, b = a.astype(kind), b.astype(kind)
    of_a, of_b = ends(sizes_a), ends(sizes_b)
    made = getattr(overlap, f"batched_pairwise_{form}")(a, b, of_a, torch.tensor(of_b))
    alone = getattr(overlap, f"pairwise_{form}")
    assert made.shapes == tuple(zip(sizes_a, sizes_b, strict=True))
    assert made.offsets == (0, 45, 45, 45 + 70 * 130, 45 + 70 * 130, 46 + 70 * 130)
    assert type(made.values) is type(a)
    assert made.values.dtype == a.dtype
    seen = 0.0
    for s, matrix in enumerate(made.matrices()):
        expected = alone(a[of_a[s] : of_a[s + 1]], b[of_b[s] : of_b[s + 1]])
        np.testing.assert_array_equal(np.asarray(matrix), np.asarray(expected))
        assert np.shares_memory(np.asarray(matrix), np.asarray(made.values)) or 0 in matrix.shape
        seen += float(matrix.sum())
    assert seen > 10


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=6), st.integers(0, 99))
def test_samples_are_independent(sizes: list[tuple[int, int]], seed: int) -> None:
    of_a, of_b = ends([n for n, _ in sizes]), ends([m for _, m in sizes])
    a, b = boxes(of_a[-1], seed), boxes(of_b[-1], seed + 1)
    whole = pairwise_iou_bev(a, b)
    for s, matrix in enumerate(batched_pairwise_iou_bev(a, b, of_a, of_b).matrices()):
        np.testing.assert_array_equal(matrix, whole[of_a[s] : of_a[s + 1], of_b[s] : of_b[s + 1]])


def test_no_sample_and_no_box_give_nothing() -> None:
    none = np.empty((0, 7))
    made = batched_pairwise_iou_bev(none, none, [0], [0])
    assert (made.values.shape, made.offsets, made.shapes, made.matrices()) == ((0,), (0,), (), [])
    made = batched_pairwise_iou_bev(none, boxes(3, 1), [0, 0, 0], [0, 1, 3])
    assert [matrix.shape for matrix in made.matrices()] == [(0, 1), (0, 2)]


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes_a, sizes_b = [700, 3, 900], [800, 0, 1100]
    a, b = boxes(sum(sizes_a), 3), boxes(sum(sizes_b), 4)
    results = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(batched_pairwise_iou_bev(a, b, ends(sizes_a), ends(sizes_b)).values)
    torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)
    assert results[0].max() > 0.5


def test_there_is_no_gradient() -> None:
    a = torch.from_numpy(boxes(4, 1)).requires_grad_()
    assert not batched_pairwise_iou_bev(a, a, [0, 4], [0, 4]).values.requires_grad


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (ValueError, "a: expected", {"a": boxes(5, 1)[:, :6]}),
        (ValueError, "b: expected two dimensions", {"b": boxes(6, 1)[None]}),
        (TypeError, "b: expected a ndarray as a", {"b": torch.from_numpy(boxes(6, 1))}),
        (TypeError, "a: ", {"a": boxes(5, 1).astype(int)}),
        (TypeError, "offsets_a: expected integers, got float64", {"offsets_a": [0.0, 5.0]}),
        (ValueError, r"offsets_a: expected shape \(B \+ 1,\), got \(1, 2\)", {"offsets_a": [[0, 5]]}),
        (ValueError, "offsets_a: expected integers that rise from 0 to 5 boxes of a", {"offsets_a": [0, 4]}),
        (ValueError, "offsets_a: expected integers that rise", {"offsets_a": [1, 5]}),
        (ValueError, "offsets_b: expected integers that rise", {"offsets_b": [0, 7, 6], "offsets_a": [0, 1, 5]}),
        (ValueError, "offsets_b: expected integers that rise", {"offsets_b": [0, -1, 6], "offsets_a": [0, 1, 5]}),
        (ValueError, "offsets_b: expected 2 offsets, as offsets_a, got 3", {"offsets_b": [0, 3, 6]}),
        (TypeError, "offsets_a: expected integers", {"offsets_a": []}),
    ],
)
def test_what_is_wrong_is_named(error: type[Exception], match: str, change: dict[str, Any]) -> None:
    given = {"a": boxes(5, 1), "b": boxes(6, 2), "offsets_a": [0, 5], "offsets_b": [0, 6], **change}
    with pytest.raises(error, match=match):
        batched_pairwise_iou_bev(**given)


def test_the_operation_checks_what_it_is_given_on_the_cpu() -> None:
    a, offsets = torch.from_numpy(boxes(4, 1)), torch.tensor([[0, 4], [0, 4]])
    for wrong, total, match in (
        (offsets, 15, "total: expected 16"),
        (torch.tensor([[0, 5], [0, 4]]), 20, "offsets: expected rows that rise"),
        (offsets.int(), 16, "offsets: expected .* int64"),
        (offsets[0], 16, "offsets: expected"),
        (offsets.to("meta"), 16, "offsets: expected the device of a"),
    ):
        with pytest.raises(ValueError, match=match):
            batched_pairwise_overlap(a, a, wrong, total, IOU_BEV)
    with pytest.raises(ValueError, match="kind: expected"):
        batched_pairwise_overlap(a, a, offsets, 16, 3)


@pytest.mark.parametrize(("threads", "blocks"), [(1, 1), (4, 3), (7, 1), (3, 100)])
def test_every_launch_shape_of_the_cuda_kernel_gives_the_same(threads: int, blocks: int) -> None:
    sizes_a, sizes_b = [20, 0, 17, 40], [5, 3, 0, 30]
    a, b = (torch.from_numpy(boxes(sum(sizes), seed)) for seed, sizes in enumerate((sizes_a, sizes_b)))
    offsets, total = torch.tensor([ends(sizes_a), ends(sizes_b)]), 100 + 1200
    expected = cuda.batched_pairwise_overlap(host_launch, a, b, offsets, total, IOU_BEV)
    assert (expected > 0).sum() > 50
    assert torch.equal(
        cuda.batched_pairwise_overlap(grid_launch(threads, blocks), a, b, offsets, total, IOU_BEV), expected
    )


def test_offsets_that_do_not_fit_touch_nothing_outside_on_cuda() -> None:
    a = torch.from_numpy(boxes(6, 1))
    for offsets, total in (
        ([[0, 2**40, 6], [0, 3, 6]], 36),  # beyond the boxes
        ([[0, -7, 6], [3, 1, 6]], 36),  # falling and negative
        ([[0, 3, 6], [0, 3, 6]], 9),  # more pairs than the result holds
        ([[-9, 2**62, 2**62], [-9, 2**62, 2**62]], 36),
    ):
        around = torch.full((total + 200,), 7.0, dtype=torch.float64)
        sizes = (2, total, 6, 6, 7, 7, IOU_BEV)
        table = torch.tensor(offsets)
        kernel = "overlap_pairwise.batched_pairwise_overlap"
        host_launch(kernel, torch.float64, total, a, a, table, around[100 : 100 + total], *sizes)
        assert (around[:100] == 7).all()
        assert (around[100 + total :] == 7).all()
