"""Coders: there and back, closed forms of their papers, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.boxes import Box, wrap_angle
from bev3d.targets import HeatmapTargets, OutputGrid
from bev3d.targets.coders import (
    CentreCoder,
    DirectionBins,
    FPointNetCoder,
    HeadingBins,
    MultibinCoder,
    PointRcnnCoder,
    RdiouCoder,
    ResidualCoder,
    TransFusionCoder,
)

GRID = OutputGrid.of((-51.2, -51.2, -5, 51.2, 51.2, 3), (0.1, 0.1, 0.2), 4)
QUARTER = math.pi / 2


def random_boxes(count: int, seed: int = 0, columns: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = rng.normal(size=(count, 9)) * [25, 25, 1, 1, 1, 1, 3, 5, 5]
    boxes[:, Box.SIZE] = np.exp(boxes[:, Box.SIZE])
    boxes[:, Box.YAW] = wrap_angle(boxes[:, Box.YAW])
    return boxes[:, :columns]


def assert_same(found: Any, expected: np.ndarray, atol: float = 1e-9) -> None:
    found = np.asarray(found)
    assert (found[..., Box.YAW] >= -math.pi).all()
    assert (found[..., Box.YAW] < math.pi).all()
    turned = found.copy()
    turned[..., Box.YAW] = expected[..., Box.YAW] + wrap_angle(found[..., Box.YAW] - expected[..., Box.YAW])
    np.testing.assert_allclose(turned, expected, rtol=0, atol=atol)


def there_and_back(name: str) -> Callable[[Any, Any], Any]:
    """decode(encode(boxes, anchors), anchors) of a coder by name."""
    residual = {"difference": ResidualCoder(), "sin_cos": ResidualCoder("sin_cos"), "rdiou": RdiouCoder()}
    sizes = ((4.5, 1.9, 1.6), (0.8, 0.6, 1.7))
    first, second = PointRcnnCoder(sizes[0]), PointRcnnCoder(sizes[0], 1.5, 0.5, HeadingBins(9, QUARTER))
    if name in residual:
        return lambda boxes, anchors: residual[name].decode(residual[name].encode(boxes, anchors), anchors)
    if name == "centre":
        centre = CentreCoder(GRID)
        return lambda boxes, anchors: centre.decode(centre.encode(boxes, centre.cells(anchors)), centre.cells(anchors))
    if name == "transfusion":
        return lambda boxes, _: TransFusionCoder(GRID).decode(TransFusionCoder(GRID).encode(boxes))
    if name == "fpointnet":
        coder = FPointNetCoder(sizes)

        def both(boxes: Any, anchors: Any) -> Any:
            index = (boxes[..., 0] > 0) * 1
            points = anchors[..., :3]
            return coder.decode(coder.encode(boxes, points, index), points)

        return both
    if name == "pointrcnn_points":
        return lambda boxes, anchors: first.decode(first.encode(boxes, anchors[..., :3]), anchors[..., :3])
    return lambda boxes, anchors: second.decode(second.encode(boxes, anchors), anchors)


VELOCITY = ["difference", "sin_cos", "rdiou", "centre", "transfusion"]
CODERS = [*VELOCITY, "fpointnet", "pointrcnn_points", "pointrcnn_boxes"]


@pytest.mark.parametrize("name", CODERS)
def test_round_trip(name: str) -> None:
    boxes, anchors = random_boxes(500), random_boxes(500, seed=1)
    back = there_and_back(name)
    expected = boxes if name in VELOCITY else boxes[:, :7]
    assert_same(back(boxes, anchors), expected)
    found = back(torch.from_numpy(boxes), torch.from_numpy(anchors))
    assert found.dtype == torch.float64
    assert_same(found, expected)
    assert_same(back(boxes[:, :7], anchors[:, :7]), boxes[:, :7])
    assert back(boxes[:0], anchors[:0]).shape == (0, expected.shape[1])
    assert_same(back(boxes.reshape(5, 100, 9), anchors.reshape(5, 100, 9)), expected.reshape(5, 100, -1))
    small = back(torch.from_numpy(boxes).float(), torch.from_numpy(anchors).float())
    assert small.dtype == torch.float32
    assert_same(small, expected, atol=3e-4 if name == "centre" else 1e-4)


number = st.floats(-200, 200)
size = st.floats(0.05, 40)
any_box = st.tuples(number, number, st.floats(-5, 5), size, size, size, st.floats(-9, 9)).map(np.array)


@pytest.mark.parametrize("name", CODERS)
@settings(max_examples=80, deadline=None)
@given(box=any_box, anchor=any_box)
def test_any_box_comes_back_from_any_anchor(name: str, box: np.ndarray, anchor: np.ndarray) -> None:
    assert_same(there_and_back(name)(box, anchor), box)


@pytest.mark.parametrize("name", VELOCITY)
def test_an_unknown_velocity_stays_unknown(name: str) -> None:
    boxes, anchors = random_boxes(4), random_boxes(4, seed=1)
    boxes[::2, Box.VELOCITY] = np.nan
    found = there_and_back(name)(boxes, anchors[:, :7])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(boxes))


@pytest.mark.parametrize("name", ["difference", "sin_cos", "rdiou"])
def test_one_anchor_for_many_boxes(name: str) -> None:
    coder: Any = RdiouCoder() if name == "rdiou" else ResidualCoder(name)  # type: ignore[arg-type]
    boxes, anchor = random_boxes(6), random_boxes(1, seed=1)
    expected = coder.encode(boxes, np.repeat(anchor, 6, axis=0))
    np.testing.assert_array_equal(coder.encode(boxes, anchor), expected)


def test_residuals_by_hand() -> None:
    """A 3-4-5 anchor."""
    anchor = np.array([[1.0, 2.0, -1.0, 4.0, 3.0, 2.0, 0.5]])
    box = np.array([[11.0, -3.0, 0.0, 8.0, 3.0, 1.0, 3.5, 6.0, 7.0]])
    code = ResidualCoder().encode(box, anchor)
    np.testing.assert_allclose(code, [[2, -1, 0.5, math.log(2), 0, -math.log(2), 3.0, 6, 7]], atol=1e-15)
    slices = ResidualCoder().slices
    assert code[0, slices["height"]].tolist() == [0.5]
    assert slices["velocity"] == slice(7, 9)
    code = ResidualCoder("sin_cos").encode(box, anchor)
    expected = [math.sin(3.5) - math.sin(0.5), math.cos(3.5) - math.cos(0.5)]
    np.testing.assert_allclose(code[0, ResidualCoder("sin_cos").slices["heading"]], expected, atol=1e-15)
    assert ResidualCoder().encode(np.array([[0, 0, 0, 1, 1, 1, 3.0]]), np.array([[0, 0, 0, 1, 1, 1, -3.0]]))[
        0, 6
    ] == pytest.approx(6 - 2 * math.pi)


def test_centre_coder_is_what_the_heatmap_targets_hold() -> None:
    boxes = random_boxes(60)
    boxes[:, :2] = np.clip(boxes[:, :2], -51, 51)
    boxes[:, 2] = np.clip(boxes[:, 2], -4, 2)
    build = HeatmapTargets(
        tasks=[["car"]], range_m=GRID.range_m, voxel_size_m=(0.1, 0.1, 0.2), stride=4, max_objects=60
    )
    task = build([boxes], [np.zeros(60, np.int64)]).tasks[0]
    coder = CentreCoder(GRID)
    cells = coder.cells(boxes)
    flat = cells[:, 1] * GRID.columns + cells[:, 0]
    assert task.cell_index[0].tolist() == flat.tolist()
    code = coder.encode(boxes, cells)
    for name, values in task.regression.items():
        np.testing.assert_allclose(values[0].numpy(), code[:, coder.slices[name]], atol=1e-5)
    # the neighbour to the right sees the centre one cell further left
    np.testing.assert_allclose(coder.encode(boxes, cells + np.array([1, 0]))[:, 0], code[:, 0] - 1, atol=1e-12)


def test_cells_are_by_floor() -> None:
    assert CentreCoder(GRID).cells(np.array([[-51.3, -51.2, 0, 1, 1, 1, 0]])).tolist() == [[-1, 0]]


def test_transfusion_cell_is_absolute() -> None:
    box = np.array([[0.1, -51.2, 0.3, 4, 2, 1.5, 0.0]])
    code = TransFusionCoder(GRID).encode(box)
    np.testing.assert_allclose(code[0], [51.3 / 0.4, 0, 0.3, math.log(4), math.log(2), math.log(1.5), 0, 1])


def test_pointrcnn_bins_by_hand() -> None:
    coder = PointRcnnCoder((4.0, 2.0, 1.5))
    assert coder.count == 12
    box = np.array([[10.0, 5.0, 1.0, 4.4, 1.8, 1.5, 0.0]])
    code = coder.encode(box, np.array([[9.9, 9.0, 0.4]]))
    assert code.bins.tolist() == [[6, 0]]  # 0.1 m ahead; 4 m to the right is beyond the 3 m of the search
    np.testing.assert_allclose(code.residual, [[-0.3, -2.5]], atol=1e-12)
    np.testing.assert_allclose(code.size_residual, [[0.1, -0.1, 0]], atol=1e-12)
    # in the frame of a proposal that looks along +y
    code = coder.encode(box, np.array([[9.0, 5.0, 0.4, 4, 2, 1.5, QUARTER]]))
    assert code.bins.tolist() == [[6, 4]]
    assert code.heading_bin.tolist() == [9]


def slow_rdiou(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Four intervals, one after the other."""
    t1, t2 = math.sin(a[6]) * math.cos(b[6]), math.cos(a[6]) * math.sin(b[6])
    centres = [(a[0], b[0]), (scale * a[1], scale * b[1]), (scale * a[2], scale * b[2]), (t1, t2)]
    sizes = [(math.exp(a[i]), math.exp(b[i])) for i in (3, 4, 5)] + [(1.0, 1.0)]
    shared, one, other = 1.0, 1.0, 1.0
    for (p, q), (m, n) in zip(centres, sizes, strict=True):
        shared *= max(0.0, min(p + m / 2, q + n / 2) - max(p - m / 2, q - n / 2))
        one, other = one * m, other * n
    return shared / (one + other - shared)


def test_rdiou_overlap_is_that_of_four_intervals() -> None:
    rng = np.random.default_rng(0)
    anchors = random_boxes(300, columns=7)
    boxes = [anchors + rng.normal(size=anchors.shape) * [0.5, 0.5, 0.2, 0.1, 0.1, 0.1, 0.5] for _ in range(2)]
    for box in boxes:
        box[:, 3:6] = np.abs(box[:, 3:6]) + 0.05
    found_any = 0
    for scale in (1.0, 2.0):
        coder = RdiouCoder(scale)
        one, other = (coder.encode(box, anchors) for box in boxes)
        found = coder.overlap(one, other)
        plain = [ResidualCoder().encode(box, anchors) for box in boxes]
        expected = [slow_rdiou(a, b, scale) for a, b in zip(*plain, strict=True)]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        found_any += int((found > 0.05).sum())
        np.testing.assert_allclose(coder.overlap(one, one), 1, atol=1e-12)
        np.testing.assert_allclose(coder.overlap(torch.from_numpy(one), torch.from_numpy(other)).numpy(), expected)
    assert found_any > 100
    back = boxes[0].copy()
    back[:, 6] += math.pi
    np.testing.assert_allclose(coder.overlap(coder.encode(back, anchors), one), 1, atol=1e-9)


def test_decoding_is_differentiable() -> None:
    boxes, anchors = (torch.from_numpy(random_boxes(5, seed, 7)) for seed in (0, 1))
    for coder in (ResidualCoder(), ResidualCoder("sin_cos"), RdiouCoder()):
        code = coder.encode(boxes, anchors).requires_grad_()
        assert torch.autograd.gradcheck(lambda values, own=coder: own.decode(values, anchors), code)
    code = TransFusionCoder(GRID).encode(boxes).requires_grad_()
    assert torch.autograd.gradcheck(TransFusionCoder(GRID).decode, code)
    near = boxes + 0.02 * torch.randn(boxes.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = RdiouCoder().encode(boxes, near)
    code = RdiouCoder().encode(near, near).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: RdiouCoder().overlap(values, target), code)


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: ResidualCoder("cosine"), ValueError, "angle: expected one of"),  # type: ignore[arg-type]
    (lambda: ResidualCoder().encode(np.ones((2, 8)), np.ones((2, 7))), ValueError, r"boxes: expected shape"),
    (lambda: ResidualCoder().encode(np.ones((2, 7)), np.ones((2, 6))), ValueError, r"anchors: expected shape"),
    (lambda: ResidualCoder().encode(np.ones((2, 7)), np.ones((3, 7))), ValueError, r"anchors: .* broadcast"),
    (lambda: ResidualCoder().encode(np.ones((2, 7)), torch.ones(2, 7)), TypeError, "anchors: expected a ndarray"),
    (lambda: ResidualCoder().encode(np.ones((2, 7), int), np.ones((2, 7))), TypeError, "boxes: expected a floating"),
    (lambda: ResidualCoder().encode(np.zeros((2, 7)), np.ones((2, 7))), ValueError, "boxes: expected sizes > 0, .* 2"),
    (lambda: RdiouCoder().encode(np.full((1, 7), np.nan), np.ones((1, 7))), ValueError, "boxes: expected finite"),
    (lambda: ResidualCoder().decode(np.ones((2, 8)), np.ones((2, 7))), ValueError, "code: expected shape"),
    (lambda: RdiouCoder(0.0), ValueError, "side_scale: expected a number > 0"),
    (lambda: RdiouCoder().overlap(np.ones((2, 8)), np.ones((2, 7))), ValueError, "target: expected shape"),
    (lambda: CentreCoder(GRID).encode(np.ones((2, 7)), np.ones((2, 2))), TypeError, "cells_xy: expected integers"),
    (lambda: CentreCoder(GRID).encode(np.ones((2, 7)), np.ones((2, 3), int)), ValueError, r"cells_xy: .*\(\.\.\., 2"),
    (lambda: CentreCoder(GRID).encode(np.ones((2, 7)), [[0, 0]]), TypeError, "cells_xy: expected a NumPy"),
    (lambda: HeadingBins(0), ValueError, "count: expected a whole number >= 1"),
    (lambda: HeadingBins(4, 7.0), ValueError, "span_rad: expected"),
    (lambda: HeadingBins(4).encode(np.array([1])), TypeError, "yaw: expected a floating"),
    (lambda: MultibinCoder(2, 1.5), ValueError, "overlap: expected"),
    (lambda: MultibinCoder(2).decode(np.ones((3, 3)), np.ones((3, 2, 2))), ValueError, "scores: expected shape"),
    (lambda: MultibinCoder(2).decode(np.ones((3, 2)), np.ones((3, 2))), ValueError, "heading: expected shape"),
    (lambda: DirectionBins(2, math.inf), ValueError, "offset_rad: expected"),
    (lambda: PointRcnnCoder((1.0, 1.0, 1.0), 3.0, 0.7), ValueError, "bin_m: expected whole bins"),
    (lambda: PointRcnnCoder((1.0, 1.0, 0.0)), ValueError, "mean_size_m: expected length"),
    (
        lambda: FPointNetCoder(((1.0, 1, 1),)).encode(np.ones((1, 7)), np.ones((1, 3)), np.array([1])),
        ValueError,
        "size_bin: expected 0 to 0, got 1",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input_is_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
