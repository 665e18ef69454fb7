"""The CUDA kernels of the overlap, on the host: exact, with the gradients of the reference, for any launch shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import adversarial
from oracles.host_grid import grid_launch
from oracles.host_kernels import host_launch
from torch import Tensor

from bev3d_ops._overlap_kinds import EIOU_3D, GIOU_HULL_3D, INTERSECTION_BEV, IOU_3D, IOU_BEV, KINDS
from bev3d_ops.cpu._overlap_pairwise import pairwise_overlap as pairwise_numba
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.reference import _overlap as reference

DTYPES = ["float64", "float32"]
LIMIT = {"float64": 1e-12, "float32": 2e-5}


def load(name: str, dtype: str) -> tuple[Tensor, Tensor]:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name, dtype))
    return a, b


def largest(values: Tensor) -> float:
    return values.abs().max().item()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_iou_agrees_with_clipping_and_with_numba(name: str, dtype: str) -> None:
    a, b = load(name, dtype)
    for kind, label in ((IOU_BEV, "iou_bev"), (IOU_3D, "iou_3d")):
        truth = torch.from_numpy(adversarial.truth(name, dtype, label))
        aligned = cuda.aligned_overlap(host_launch, a, b, kind)
        with_gradient = cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)[0]
        parts = [cuda.pairwise_overlap(host_launch, a[i : i + 50], b[i : i + 50], kind) for i in range(0, 2000, 50)]
        matrices = torch.cat(parts)
        own = torch.cat([part.diagonal() for part in parts])
        for value in (aligned, with_gradient, own):
            assert value.dtype == a.dtype
            assert largest(value.double() - truth) <= LIMIT[dtype], label
        numba = [pairwise_numba(a[i : i + 50].numpy(), b[i : i + 50].numpy(), kind) for i in range(0, 2000, 50)]
        assert largest(matrices - torch.from_numpy(np.concatenate(numba))) <= LIMIT[dtype]
        assert ((matrices >= 0) & (matrices <= 1)).all()


# slender boxes in a slender hull: float32 knows the hull's area to fewer digits
HULL_OF_STRIPS = 2e-4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_every_kind_agrees_with_the_reference(name: str, dtype: str) -> None:
    a, b = load(name, dtype)
    for label, kind in KINDS.items():
        expected = reference.aligned_overlap(a, b, kind)
        value, grad_a, grad_b = cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)
        scale = expected.abs().clamp(min=1)
        limit = HULL_OF_STRIPS if dtype == "float32" and "hull" in label else LIMIT[dtype]
        assert largest((value - expected) / scale) <= limit, label
        assert largest(value - cuda.aligned_overlap(host_launch, a, b, kind)) <= LIMIT[dtype] * largest(scale), label
        assert torch.isfinite(grad_a).all(), label
        assert torch.isfinite(grad_b).all(), label


# Sets whose boxes do not share the line of an edge, so that there is one gradient, not two sides of a kink; and the
# share of pairs that agree to the limit: in float32 what is nearly on a line may fall to the other side of it.
SMOOTH = ["jitter", "jitter at 100 km", "contained", "concentric", "dyaw 1e-5 to 1e-3", "sizes 1 mm to 50 m"]
SMOOTH += ["tiny", "strips", "zero size"]


@pytest.mark.parametrize(("dtype", "limit", "share"), [("float64", 1e-11, 1.0), ("float32", 1e-3, 0.998)])
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_agree_with_the_reference(name: str, dtype: str, limit: float, share: float) -> None:
    a, b = load(name, dtype)
    for label, kind in KINDS.items():
        _, *grads = cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)
        inputs = [boxes.double().requires_grad_() for boxes in (a, b)]
        expected = torch.cat(torch.autograd.grad(reference.aligned_overlap(*inputs, kind).sum(), inputs), dim=1)
        error = (torch.cat(grads, dim=1) - expected).norm(dim=1) / expected.norm(dim=1).clamp(min=1)
        assert (error <= limit).double().mean() >= share, label
        assert expected.norm(dim=1).max() > 0.01


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("turned by quarters", "float64"),
        *((name, dtype) for name in adversarial.SETS if name.startswith("identical") for dtype in DTYPES),
    ],
)
def test_equal_boxes_are_stationary(name: str, dtype: str) -> None:
    a, b = load(name, dtype)
    for label, kind in KINDS.items():
        if kind == INTERSECTION_BEV or (name.startswith("turned") and label[0] in "ce"):
            continue  # grows with the boxes; length and width exchanged are another shape
        for grad in cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)[1:]:
            assert grad.norm(dim=1).max() <= 1e-5, label


def test_what_is_no_box_has_the_least_value_and_gradient_0() -> None:
    good = torch.tensor([[1.0, 2, 0, 4, 2, 1.5, 0.3]])
    bad = torch.tensor([float("nan"), float("inf"), -float("inf"), 3e38, -1e13]).repeat(7)
    broken = good.repeat(35, 1)
    broken[torch.arange(35), torch.arange(7).repeat_interleave(5)] = bad
    for a, b in ((broken, good.expand_as(broken)), (good.expand_as(broken), broken), (broken, broken)):
        for kind in KINDS.values():
            value, grad_a, grad_b = cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)
            assert (value == (0 if kind <= IOU_3D else -1)).all()
            assert (torch.cat([grad_a, grad_b], dim=1) == 0).all()
    assert (cuda.pairwise_overlap(host_launch, broken, torch.cat([broken, good]), IOU_BEV) == 0).all()
    mixed = torch.cat([broken, good])
    assert cuda.pairwise_overlap(host_launch, mixed, mixed, IOU_3D)[-1, -1] == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_but_finite_boxes_give_finite_numbers(dtype: str) -> None:
    values = [0.0, 1e-300, 1e-40, 1e-30, 1e-12, 1e-6, 1.0, -1.0, 1e6, 1e12, 1e30, 3e38, -1e12]
    rng = np.random.default_rng(2)
    a, b = (torch.from_numpy(rng.choice(values, (20_000, 7)).astype(dtype)) for _ in range(2))
    for label, kind in KINDS.items():
        value, *grads = cuda.aligned_overlap_with_gradient(host_launch, a, b, kind)
        assert all(torch.isfinite(grad).all() for grad in grads), label
        assert torch.isfinite(value).all(), label
        if kind != INTERSECTION_BEV:
            least = 0 if kind <= IOU_3D else -1 if label[0] in "gd" else -4
            assert ((value >= least) & (value <= 1)).all(), label
        if kind in (IOU_BEV, IOU_3D):
            matrix = cuda.pairwise_overlap(host_launch, a[:200], b[:300], kind)
            assert ((matrix >= 0) & (matrix <= 1)).all(), label


def test_a_negative_size_counts_as_0_and_does_not_move() -> None:
    pred = torch.tensor([[0.0, 0, 0, -1, 2, 2, 0.2], [0.0, 0, 0, 0, 2, 2, 0.2]], dtype=torch.float64)
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0.2]], dtype=torch.float64).expand(2, 7)
    value, grad, _ = cuda.aligned_overlap_with_gradient(host_launch, pred, target, IOU_BEV)
    assert value.tolist() == [0, 0]
    assert grad[0, 3] == 0
    assert grad[1, 3].item() == pytest.approx(1 / 4, abs=1e-12)


@pytest.mark.parametrize("turns", [0, 1_000, 10_000_000])
def test_yaws_beyond_many_turns(turns: int) -> None:
    a, b = load("jitter", "float64")
    a[:, 6] += 2 * np.pi * turns
    b[:, 6] += 2 * np.pi * turns
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 2e-5)):
        one, other = a.to(dtype), b.to(dtype)
        # the reference takes the rounded yaws for what they are
        expected = reference.aligned_overlap(one, other, IOU_BEV)
        assert largest(cuda.aligned_overlap(host_launch, one, other, IOU_BEV) - expected) <= limit
        matrix = cuda.pairwise_overlap(host_launch, one[:50], other[:50], IOU_BEV)
        assert largest(matrix.diagonal() - expected[:50]) <= limit


def test_the_difference_of_two_yaws_loses_nothing() -> None:
    """Strips of 50 m by 2 cm notice a millionth of a radian, and float32 has less to give at a turn and a half."""
    a, b = load("strips", "float64")
    a[:, 6] = a[:, 6] % 1 - 6
    b[:, 6] = a[:, 6] + b[:, 6] % 1e-3 + 4 * np.pi
    a, b = a.float(), b.float()
    expected = reference.aligned_overlap(a, b, IOU_BEV)
    assert largest(cuda.aligned_overlap(host_launch, a, b, IOU_BEV) - expected) <= 2e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_pairs_by_index_are_the_rows_they_name(dtype: torch.dtype) -> None:
    a, b = (boxes.to(dtype) for boxes in load("jitter", "float64"))
    b = torch.cat([b, torch.full((2000, 2), float("nan"), dtype=dtype)], dim=1)
    rng = torch.Generator().manual_seed(3)
    index_a, index_b = (torch.randint(0, 2000, (500,), generator=rng) for _ in range(2))
    index_b[:250] = index_a[:250]
    index_a[[7, 9]], index_b[[8, 9]] = torch.tensor([-1, 2000]), torch.tensor([1 << 40, -(1 << 62)])
    inside = torch.ones(500, dtype=torch.bool)
    inside[7:10] = False
    for kind in (IOU_3D, EIOU_3D):
        found = cuda.matched_overlap_with_gradient(host_launch, a, b, index_a, index_b, kind)
        value = cuda.matched_overlap(host_launch, a, b, index_a, index_b, kind)
        rows = (a[index_a[inside]], b[index_b[inside]])
        expected = cuda.aligned_overlap_with_gradient(host_launch, *rows, kind)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one[inside], other)
        assert torch.equal(
            value[inside], cuda.aligned_overlap(host_launch, a[index_a[inside]], b[index_b[inside]], kind)
        )
        for one in (value, found[0]):
            assert (one[~inside] == (0 if kind == IOU_3D else -1)).all()
        assert (torch.cat(found[1:], dim=1)[~inside] == 0).all()
        assert (found[1] != 0).any()


def test_nothing_gives_nothing() -> None:
    none, some = torch.empty(0, 7), torch.ones(3, 7)
    assert cuda.pairwise_overlap(host_launch, none, some, IOU_BEV).shape == (0, 3)
    assert cuda.pairwise_overlap(host_launch, some, none, IOU_BEV).shape == (3, 0)
    value, *grads = cuda.aligned_overlap_with_gradient(host_launch, none, none, GIOU_HULL_3D)
    assert (value.shape, [grad.shape for grad in grads]) == ((0,), [(0, 7), (0, 7)])


@pytest.mark.parametrize(("threads", "blocks"), [(1, 1), (4, 3), (7, 1), (3, 100)])
def test_every_launch_shape_gives_the_same(threads: int, blocks: int) -> None:
    rng = np.random.default_rng(5)
    a, b = (torch.from_numpy(adversarial.boxes(rng, count, spread=5)) for count in (37, 61))
    launch = grid_launch(threads, blocks)
    expected = cuda.pairwise_overlap(host_launch, a, b, IOU_BEV)
    assert torch.equal(cuda.pairwise_overlap(launch, a, b, IOU_BEV), expected)
    for one, other in zip(
        cuda.aligned_overlap_with_gradient(launch, a, b[:37], IOU_3D),
        cuda.aligned_overlap_with_gradient(host_launch, a, b[:37], IOU_3D),
        strict=True,
    ):
        assert torch.equal(one, other)


Sparse = Callable[[int], Tensor]


@pytest.fixture
def sparse(tmp_path: Path) -> Sparse:
    """Half precision zeros in a file with holes: only what is written takes room."""

    def make(count: int) -> Tensor:
        path = tmp_path / f"zeros{len(list(tmp_path.iterdir()))}"
        with path.open("wb") as file:
            try:
                file.truncate(2 * count)
            except OSError as error:
                pytest.skip(f"no file of {2 * count} bytes here: {error}")
        return torch.from_file(str(path), shared=True, size=count, dtype=torch.float16)

    return make


BOX = torch.tensor([3.0, 4, 5, 4, 2, 2, 0.5], dtype=torch.float16)


def test_a_matrix_of_more_than_2_to_the_32_elements(sparse: Sparse) -> None:
    columns, rows = (1 << 28) + 5, 17
    b, value = sparse(7 * columns).view(columns, 7), sparse(rows * columns)
    a = BOX.repeat(rows, 1)
    b[-1] = BOX
    kernel, sizes = "overlap_pairwise.pairwise_overlap", (rows, columns, 7, 7, IOU_BEV)
    # the last block of a grid of one thread each, which has the last row and column
    grid_launch(1, 2 * columns, only=[2 * columns - 1])(kernel, torch.float16, value.numel(), a, b, value, *sizes)
    assert value[-1] == 1
    assert value[-2] == 0


def test_a_row_beyond_2_to_the_31_elements(sparse: Sparse) -> None:
    rows = (1 << 31) // 7 + 10
    a = sparse(7 * rows).view(rows, 7)
    a[-1] = BOX
    index = torch.tensor([rows - 1, 0])
    value = cuda.matched_overlap(host_launch, a, BOX[None], index, torch.zeros(2, dtype=torch.int64), IOU_3D)
    assert value.tolist() == [1, 0]
