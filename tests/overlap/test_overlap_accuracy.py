"""Every implementation of the overlap against polygon clipping, on the pairs that are hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.overlap import iou_3d, iou_bev, pairwise_intersection_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d_ops import _dispatch
from bev3d_ops.reference import _overlap as reference

LIMIT = {"float64": 1e-12, "float32": 2e-5}

Aligned = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def diagonal(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Aligned:
    """The matrix form on aligned pairs, 50 at a time; the rest of the matrix checks that it stays in bounds."""

    def aligned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        parts = []
        for i in range(0, len(a), 50):
            matrix = function(a[i : i + 50], b[i : i + 50])
            assert ((matrix >= 0) & torch.isfinite(matrix)).all()
            parts.append(matrix.diagonal())
        return torch.cat(parts)

    return aligned


def fused(function: Aligned) -> Aligned:
    """The form that finds the gradient beside the value."""
    return lambda a, b: function(a.clone().requires_grad_(), b).detach()


IMPLEMENTATIONS: dict[str, tuple[str, Aligned]] = {
    "aligned bev": ("iou_bev", iou_bev),
    "aligned 3d": ("iou_3d", iou_3d),
    "fused bev": ("iou_bev", fused(iou_bev)),
    "fused 3d": ("iou_3d", fused(iou_3d)),
    "pairwise bev": ("iou_bev", diagonal(pairwise_iou_bev)),
    "pairwise 3d": ("iou_3d", diagonal(pairwise_iou_3d)),
    "reference bev": ("iou_bev", lambda a, b: reference.aligned_iou_bev(a, b).to(a.dtype)),
    "reference 3d": ("iou_3d", lambda a, b: reference.aligned_iou_3d(a, b).to(a.dtype)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_iou_agrees_with_clipping(name: str, dtype: str) -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name, dtype))
    for label, (kind, function) in IMPLEMENTATIONS.items():
        value = function(a, b)
        assert value.dtype == a.dtype
        error = np.abs(value.double().numpy() - adversarial.truth(name, dtype, kind)).max()
        assert error <= LIMIT[dtype], f"{label}: {error}"
        assert value.min() >= 0, label
        assert value.max() <= 1, label


@pytest.mark.parametrize("name", ["jitter", "vertex on edge", "inside and touching", "jitter at 100 km"])
def test_intersection_agrees_with_clipping(name: str) -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name))
    expected = adversarial.truth(name, "float64", "intersection")
    aligned = _dispatch.aligned_overlap(a, b, _dispatch.INTERSECTION_BEV)
    tracked = fused(lambda p, q: _dispatch.aligned_overlap(p, q, _dispatch.INTERSECTION_BEV))(a, b)
    for value in (
        aligned,
        tracked,
        diagonal(pairwise_intersection_bev)(a, b),
        reference.aligned_intersection_bev(a, b),
    ):
        assert np.abs(value.numpy() - expected).max() <= 1e-12 * 144


IDENTICAL = [name for name in adversarial.SETS if name.startswith("identical")]


@pytest.mark.parametrize(
    ("name", "dtype"),
    # in float32 a quarter turn is off by its rounding, and the boxes truly differ
    [("turned by quarters", "float64"), *((name, dtype) for name in IDENTICAL for dtype in LIMIT)],
)
def test_equal_boxes_have_iou_1(name: str, dtype: str) -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name, dtype))
    for _, function in IMPLEMENTATIONS.values():
        assert (function(a, b) - 1).abs().max() <= 1e-6


def test_apart_and_touching_are_exactly_0() -> None:
    a = adversarial.boxes(np.random.default_rng(1), 500)
    away = adversarial.moved(a, a[:, 3] * 1.001, np.zeros(500))
    value = iou_bev(torch.from_numpy(a), torch.from_numpy(away))
    assert (value == 0).all()
    square = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0]])
    beside = torch.tensor([[2.0, 0, 0, 2, 2, 2, 0]])
    for function in (iou_bev, iou_3d, pairwise_iou_bev, reference.aligned_iou_bev):
        assert (function(square, beside) == 0).all()


def test_closed_forms() -> None:
    square = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0]], dtype=torch.float64)
    shifted = torch.tensor([[1.0, 1, 1, 2, 2, 2, 0]], dtype=torch.float64)
    on_its_point = torch.tensor([[0.0, 0, 0, 2, 2, 2, np.pi / 4]], dtype=torch.float64)
    assert pairwise_intersection_bev(square, shifted).item() == pytest.approx(1, abs=1e-15)
    assert iou_bev(square, shifted).item() == pytest.approx(1 / 7, abs=1e-15)
    assert iou_3d(square, shifted).item() == pytest.approx(1 / 15, abs=1e-15)
    octagon = 8 * (np.sqrt(2) - 1)
    assert pairwise_intersection_bev(square, on_its_point).item() == pytest.approx(octagon, abs=1e-14)


def test_yaws_beyond_many_turns() -> None:
    a, b = (boxes.copy() for boxes in adversarial.pairs("jitter"))
    expected = adversarial.truth("jitter", "float64", "iou_bev")
    for turns in (1_000, 10_000_000):
        for boxes in (a, b):
            boxes[:, 6] += 2 * np.pi * turns
        value = iou_bev(torch.from_numpy(a), torch.from_numpy(b)).numpy()
        assert np.abs(value - expected).max() <= 1e-15 * 2 * np.pi * turns * 100


@pytest.mark.parametrize("order", ["rows", "columns"])
def test_matrix_has_every_pair_in_its_place(order: str) -> None:
    rng = np.random.default_rng(3)
    a, b = adversarial.boxes(rng, 150, spread=15), adversarial.boxes(rng, 333, spread=15)
    if order == "columns":
        a, b = b, a
    matrix = pairwise_iou_3d(a, b)
    assert matrix.shape == (len(a), len(b))
    aligned = iou_3d(torch.from_numpy(a)[:, None], torch.from_numpy(b)[None])
    assert np.abs(matrix - aligned.numpy()).max() <= 1e-14
    assert (matrix > 0).mean() > 0.02
