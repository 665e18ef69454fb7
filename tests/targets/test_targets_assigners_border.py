"""What every assigner promises: frames without objects or anchors, kinds of arrays, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles.assigner_frames import frames

from bev3d.targets import (
    Assignment,
    assign_atss,
    assign_hungarian,
    assign_max_iou,
    assign_simota,
    assign_task_aligned,
)

RANGE = (-10.0, -8.0, -3.0, 10.0, 8.0, 3.0)
Assigner = Callable[[Any, Any, Any, Any, Any], Assignment]
ASSIGNERS: dict[str, Assigner] = {
    "max_iou": lambda anchors, centres, logits, boxes, labels: assign_max_iou(anchors, boxes, labels),
    "atss": lambda anchors, centres, logits, boxes, labels: assign_atss(anchors, boxes, labels),
    "hungarian": lambda anchors, centres, logits, boxes, labels: assign_hungarian(
        anchors, logits, boxes, labels, range_m=RANGE
    ),
    "task_aligned": lambda anchors, centres, logits, boxes, labels: assign_task_aligned(
        centres, anchors, logits, boxes, labels
    ),
    "simota": lambda anchors, centres, logits, boxes, labels: assign_simota(
        centres, anchors, logits, boxes, labels, radius_m=1.0
    ),
}
each_assigner = pytest.mark.parametrize("assign", ASSIGNERS.values(), ids=ASSIGNERS.keys())
FRAME = frames(7, seed=9)[6]
INPUT = (FRAME.anchors, FRAME.centres, FRAME.logits, FRAME.boxes, np.abs(FRAME.labels))


@each_assigner
def test_frames_without_objects_or_anchors(assign: Assigner) -> None:
    anchors, centres, logits, boxes, labels = INPUT
    found = assign(anchors, centres, logits, boxes[:0], labels[:0])
    assert found.gt_index.tolist() == [-1] * len(anchors)
    assert found.labels.tolist() == [-1] * len(anchors)
    assert found.quality.tolist() == [0.0] * len(anchors)
    for some in (boxes, boxes[:0]):
        found = assign(anchors[:0], centres[:0], logits[:0], some, labels[: len(some)])
        assert len(found) == 0
        assert found.gt_index.dtype == np.int64
    only_ignored = assign(anchors, centres, logits, boxes, np.full(len(boxes), -1))
    assert not only_ignored.positive.any()
    assert only_ignored.ignored.any()


@each_assigner
def test_kinds_of_arrays(assign: Assigner) -> None:
    """NumPy, tensors, nine columns, strided memory, gradients: one result."""
    expected = assign(*INPUT)
    assert isinstance(expected.gt_index, np.ndarray)
    assert expected.quality.dtype == np.float64
    assert expected.positive.sum() > 3
    tensors = [torch.from_numpy(value) for value in INPUT]
    tensors[0].requires_grad_()
    tensors[2].requires_grad_()
    found = assign(*tensors)
    assert torch.equal(found.gt_index, torch.from_numpy(expected.gt_index))
    assert torch.equal(found.labels, torch.from_numpy(expected.labels))
    torch.testing.assert_close(found.quality, torch.from_numpy(expected.quality), rtol=0, atol=1e-12)
    assert not found.quality.requires_grad
    wide = [np.concatenate([value, np.full((len(value), 2), np.nan)], axis=1) for value in (INPUT[0], INPUT[3])]
    strided = [np.asfortranarray(value) for value in wide]
    found = assign(strided[0], INPUT[1][::-1][::-1], INPUT[2], strided[1], INPUT[4].astype(np.int32))
    assert np.array_equal(found.gt_index, expected.gt_index)
    small = assign(*(value.float() if value.is_floating_point() else value for value in tensors))
    assert small.quality.dtype == torch.float32
    assert (small.gt_index != found_tensor(expected)).float().mean() < 0.1
    half = assign(*(value.bfloat16() if value.is_floating_point() else value for value in tensors))
    assert half.quality.dtype == torch.float32


def found_tensor(assignment: Assignment) -> torch.Tensor:
    return torch.from_numpy(assignment.gt_index)


@each_assigner
def test_the_arguments_are_left_as_they_were(assign: Assigner) -> None:
    copies = [value.copy() for value in INPUT]
    assign(*INPUT)
    for before, after in zip(copies, INPUT, strict=True):
        assert np.array_equal(before, after)


@pytest.mark.cuda
@each_assigner
def test_cuda_gives_the_same(assign: Assigner) -> None:
    expected = assign(*INPUT)
    found = assign(*(torch.from_numpy(value).cuda() for value in INPUT))
    assert found.gt_index.is_cuda
    assert found.gt_index.tolist() == expected.gt_index.tolist()
    np.testing.assert_allclose(found.quality.cpu().numpy(), expected.quality, atol=1e-9)


def change(position: int, value: Any) -> list[Any]:
    values: list[Any] = list(INPUT)
    values[position] = value
    return values


G = len(FRAME.boxes)
BROKEN: list[tuple[int, Any, type[Exception], str]] = [
    (0, FRAME.anchors[:, :6], ValueError, r"expected shape \(\.\.\., 7\) or \(\.\.\., 9\), got \(60, 6\)"),
    (0, FRAME.anchors[None], ValueError, r"expected shape \(N, 7 or 9\), got \(1, 60, 7\)"),
    (0, FRAME.anchors.astype(np.int64), TypeError, "expected a floating-point dtype, got int64"),
    (0, FRAME.anchors.tolist(), TypeError, "expected a NumPy array or a torch tensor, got list"),
    (3, FRAME.boxes[:, :5], ValueError, "boxes: expected shape"),
    (3, torch.from_numpy(FRAME.boxes), TypeError, "boxes: expected a NumPy array as"),
    (3, np.zeros_like(FRAME.boxes), ValueError, f"boxes: expected sizes > 0, but {G} of {G} boxes differ"),
    (3, np.full_like(FRAME.boxes, np.nan), ValueError, "boxes: expected finite"),
    (4, np.zeros(G + 1, np.int64), ValueError, rf"labels: expected shape \({G},\), got \({G + 1},\)"),
    (4, np.zeros(G), TypeError, "labels: expected an integer dtype, got float64"),
    (4, np.full(G, -2), ValueError, "labels: expected a class or -1 for an object to ignore, got -2 for box 0"),
]


@each_assigner
@pytest.mark.parametrize(("position", "value", "error", "message"), BROKEN)
def test_bad_input_is_named(assign: Assigner, position: int, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        assign(*change(position, value))


@pytest.mark.parametrize("name", ["hungarian", "task_aligned", "simota"])
def test_bad_predictions_are_named(name: str) -> None:
    assign = ASSIGNERS[name]
    with pytest.raises(ValueError, match=r"logits: expected shape \(60, classes\), got \(59, 3\)"):
        assign(*change(2, FRAME.logits[1:]))
    with pytest.raises(TypeError, match="logits: expected a floating-point dtype"):
        assign(*change(2, FRAME.logits.astype(np.int64)))
    with pytest.raises(TypeError, match="logits: expected a NumPy array"):
        assign(*change(2, None))
    with pytest.raises(ValueError, match="labels: expected classes below the 3 of logits, got 7"):
        assign(*change(4, np.full(G, 7)))
    if name != "hungarian":
        with pytest.raises(ValueError, match=r"centres: expected shape \(60, >= 2\), got \(60, 1\)"):
            assign(*change(1, FRAME.centres[:, :1]))
        with pytest.raises(TypeError, match="centres: expected a floating-point dtype"):
            assign(*change(1, np.zeros((60, 2), np.int64)))


A, B, L = FRAME.anchors, FRAME.boxes, INPUT[4]
OPTIONS: list[tuple[Callable[[], Any], str]] = [
    (lambda: assign_max_iou(A, B, L, overlap="2d"), "overlap: expected one of bev, 3d, nearest_bev, got '2d'"),  # type: ignore[arg-type]
    (lambda: assign_max_iou(A, B, L, force_match="best"), "force_match: expected one of"),  # type: ignore[arg-type]
    (lambda: assign_max_iou(A, B, L, matched=1.5), r"matched: expected numbers in \[0, 1\], got 1.5"),
    (lambda: assign_max_iou(A, B, L, matched=0.4), r"unmatched: expected at most matched \(0.4\), got 0.45"),
    (lambda: assign_max_iou(A, B, L, matched=(0.6, 0.5)), "matched: expected one number where there are no"),
    (
        lambda: assign_max_iou(A, B, L, anchor_labels=FRAME.anchor_labels, matched=(0.6, 0.5)),
        r"matched: expected one threshold for each class of anchor_labels \(0 to 2\), got 2",
    ),
    (
        lambda: assign_max_iou(A, B, L, anchor_labels=FRAME.anchor_labels, matched=(0.6, 0.6), unmatched=(0.4,)),
        "unmatched: expected 2 thresholds as matched, got 1",
    ),
    (lambda: assign_max_iou(A, B, L, anchor_labels=L), r"anchor_labels: expected shape \(60,\)"),
    (lambda: assign_max_iou(A, B, L, ignore_overlap=-1), "ignore_overlap: expected a number in"),
    (lambda: assign_atss(A, B, L, top_k=0), "top_k: expected a whole number >= 1, got 0"),
    (lambda: assign_atss(A, B, L, overlap="giou"), "overlap: expected one of"),  # type: ignore[arg-type]
    (
        lambda: assign_hungarian(A, FRAME.logits, B, L, range_m=(0, 0, 0, 0, 1, 1)),
        "range_m: expected x0, y0, z0, x1, y1, z1 with x0 < x1",
    ),
    (lambda: assign_hungarian(A, FRAME.logits, B, L, range_m=RANGE, bev_weight=-1), "bev_weight: expected a number"),
    (lambda: assign_hungarian(A, FRAME.logits, B, L, range_m=RANGE, alpha=2), "alpha: expected a number in"),
    (lambda: assign_hungarian(A, FRAME.logits, B, L, range_m=RANGE, gamma=-1), "gamma: expected a number >= 0"),
    (lambda: assign_task_aligned(FRAME.centres, A, FRAME.logits, B, L, beta=-1), "beta: expected a number >= 0"),
    (lambda: assign_task_aligned(FRAME.centres, A, FRAME.logits, B, L, radius_m=-1), "radius_m: expected a finite"),
    (lambda: assign_task_aligned(FRAME.centres, A, FRAME.logits, B, L, overlap="x"), "overlap: expected"),  # type: ignore[arg-type]
    (
        lambda: assign_simota(FRAME.centres, A, FRAME.logits, B, L, radius_m=1, iou_weight=-1),
        "iou_weight: expected a number >= 0",
    ),
    (lambda: assign_simota(FRAME.centres, A, FRAME.logits, B, L, radius_m=1, top_k=0), "top_k: expected a whole"),
]


@pytest.mark.parametrize(("call", "message"), OPTIONS)
def test_bad_options_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
