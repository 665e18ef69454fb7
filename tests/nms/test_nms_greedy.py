"""NMS against the plain definition over the full matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nms_worlds import clusters, greedy, matrix, near
from oracles import adversarial, exact_overlap

from bev3d.nms import batched_nms, nms_bev, nms_circle, nms_diou
from bev3d.overlap import diou_bev, pairwise_iou_bev


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bev_equals_the_definition(threshold: float, dtype: type) -> None:
    boxes, scores, labels = clusters(int(threshold * 10))
    boxes, scores = boxes.astype(dtype), scores.astype(dtype)
    goes = matrix(boxes) > threshold
    assert nms_bev(boxes, scores, threshold).tolist() == greedy(goes, scores)
    assert batched_nms(boxes, scores, labels, threshold).tolist() == greedy(goes, scores, labels)


def test_bev_equals_suppression_by_clipped_polygons() -> None:
    boxes, scores, _ = clusters(11, n=120, centres=8)
    goes = np.array([[exact_overlap.iou_bev(k, n) > 0.3 for n in boxes.tolist()] for k in boxes.tolist()])
    assert nms_bev(boxes, scores, 0.3).tolist() == greedy(goes, scores)


@pytest.mark.parametrize("name", adversarial.SETS)
def test_bev_equals_the_definition_on_adversarial_pairs(name: str) -> None:
    a, b = adversarial.pairs(name)
    boxes = np.concatenate([a[:400], b[:400]])
    scores = np.random.default_rng(1).random(800)
    for threshold in (0.03, 0.4, 0.93):
        kept = nms_bev(boxes, scores, threshold).tolist()
        assert kept == greedy(matrix(boxes) > threshold, scores), f"threshold {threshold}"


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 4.0])
def test_circle_equals_the_definition(radius: float) -> None:
    boxes, scores, labels = clusters(1)
    goes = near(boxes, radius)
    assert nms_circle(boxes, scores, radius).tolist() == greedy(goes, scores)
    kept = batched_nms(boxes, scores, labels, radius, kind="circle")
    assert kept.tolist() == greedy(goes, scores, labels)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
def test_diou_equals_the_definition(threshold: float) -> None:
    boxes, scores, labels = clusters(2)
    tensor = torch.from_numpy(boxes)
    goes = diou_bev(tensor[None], tensor[:, None]).numpy() > threshold
    assert nms_diou(boxes, scores, threshold).tolist() == greedy(goes, scores)
    assert batched_nms(boxes, scores, labels, threshold, "diou").tolist() == greedy(goes, scores, labels)


def test_diou_keeps_what_is_further_apart() -> None:
    # the IoU of both pairs is 1/3, their DIoU 1/3 - 1/13 = 0.256 and 1/3 - 4/40 = 0.233
    boxes = np.array([[0.0, 0, 0, 2, 2, 1, 0], [1, 0, 0, 2, 2, 1, 0], [10, 0, 0, 2, 4, 1, 0], [10, 2, 0, 2, 4, 1, 0]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert nms_bev(boxes, scores, 0.25).tolist() == [0, 2]
    assert nms_diou(boxes, scores, 0.25).tolist() == [0, 2, 3]
    assert nms_diou(boxes, scores, 0.2).tolist() == [0, 2]


def test_ties_go_to_the_lower_index() -> None:
    boxes = np.tile([0.0, 0, 0, 4, 2, 1.5, 0], (5, 1))
    boxes[3, 0] = 100
    assert nms_bev(boxes, np.full(5, 0.5), 0.5).tolist() == [0, 3]
    assert nms_circle(boxes, np.full(5, 0.5), 1.0).tolist() == [0, 3]
    assert batched_nms(boxes, np.full(5, 0.5), np.array([1, 0, 1, 0, 0]), 0.5).tolist() == [0, 1, 3]
    assert nms_bev(boxes, np.array([-0.0, 0.0, -0.0, 0.0, 0.0]), 0.5).tolist() == [0, 3]


def test_at_exactly_the_threshold() -> None:
    boxes = np.array([[0.0, 0, 0, 2, 2, 1, 0], [1.0, 0, 0, 2, 2, 1, 0]])
    scores = np.array([0.9, 0.8])
    third = pairwise_iou_bev(boxes, boxes)[0, 1]
    assert nms_bev(boxes, scores, third).tolist() == [0, 1]
    assert nms_bev(boxes, scores, np.nextafter(third, 0)).tolist() == [0]
    assert nms_circle(boxes, scores, 1.0).tolist() == [0]
    assert nms_circle(boxes, scores, np.nextafter(1.0, 0)).tolist() == [0, 1]


def test_kinds_of_arrays() -> None:
    boxes, scores, labels = clusters(2)
    expected = nms_bev(boxes, scores, 0.2)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == np.int64
    kept = nms_bev(torch.from_numpy(boxes).requires_grad_(), torch.from_numpy(scores).requires_grad_(), 0.2)
    assert isinstance(kept, torch.Tensor)
    assert kept.dtype == torch.int64
    assert kept.tolist() == expected.tolist()
    nine = np.concatenate([boxes, np.full((len(boxes), 2), np.nan)], axis=1)
    assert nms_bev(nine, scores, 0.2).tolist() == expected.tolist()
    wide = torch.from_numpy(nine).T.contiguous().T
    assert nms_bev(wide, torch.from_numpy(np.repeat(scores, 2))[::2], 0.2).tolist() == expected.tolist()
    boxes.flags.writeable = scores.flags.writeable = False
    assert nms_bev(boxes[::-1][::-1], scores, 0.2).tolist() == expected.tolist()
    halves = torch.from_numpy(labels / 4).half()
    mixed = batched_nms(torch.from_numpy(nine), halves, torch.from_numpy(labels).to(torch.uint8), 0.2)
    assert mixed.dtype == torch.int64
    for kind in ("bev", "circle", "diou"):
        empty = batched_nms(boxes[:0], scores[:0], labels[:0], 0.2, kind, batch=labels[:0], pre_max=1, max_keep=1)  # type: ignore[arg-type]
        assert empty.shape == (0,)
        assert empty.dtype == np.int64


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((3, 5)), np.zeros(3), 0.5), ValueError, r"boxes: expected shape .*got \(3, 5\)"),
        ((np.zeros(7), np.zeros(3), 0.5), ValueError, r"boxes: expected shape \(N, 7 or 9\), got \(7,\)"),
        ((np.zeros((3, 7)), np.zeros(4), 0.5), ValueError, r"scores: expected shape \(3,\) as boxes, got \(4,\)"),
        ((np.zeros((3, 7)), np.zeros(3, int), 0.5), TypeError, "scores: expected a floating-point dtype"),
        ((np.zeros((3, 7)), [0, 0, 0], 0.5), TypeError, "scores: expected a NumPy array or a torch tensor, got list"),
        ((np.zeros((3, 7)), torch.zeros(3), 0.5), TypeError, "scores: expected a ndarray as boxes, got Tensor"),
        ((torch.zeros(3, 7), torch.zeros(3, device="meta"), 0.5), ValueError, "scores: expected the device of boxes"),
        ((np.zeros((3, 7)), np.array([0, np.nan, 0]), 0.5), ValueError, "scores: expected no NaN, got one at index 1"),
        ((np.zeros((3, 7)), np.zeros(3), 1.5), ValueError, r"threshold: expected an IoU in \[0, 1\], got 1.5"),
        ((np.zeros((3, 7)), np.zeros(3), -0.1), ValueError, r"threshold: expected an IoU in \[0, 1\], got -0.1"),
        ((np.zeros((3, 7)), np.zeros(3), float("nan")), ValueError, "threshold: expected an IoU .*, got nan"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nms_bev(*arguments)


def test_wrong_radius_labels_and_kind_are_named() -> None:
    boxes, scores = np.zeros((3, 7)), np.zeros(3)
    for radius in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="radius_m: expected a finite number of metres >= 0"):
            nms_circle(boxes, scores, radius)
    with pytest.raises(ValueError, match=r"threshold: expected a DIoU in \[0, 1\], got -1"):
        nms_diou(boxes, scores, -1)
    for name in ("labels", "batch"):
        integers: dict[str, Any] = {"labels": None, name: np.zeros(3)}
        with pytest.raises(TypeError, match=f"{name}: expected an integer dtype, got float64"):
            batched_nms(boxes, scores, threshold=0.5, **integers)
    with pytest.raises(TypeError, match=r"labels: expected an integer dtype, got torch.bool"):
        batched_nms(torch.zeros(3, 7), torch.zeros(3), torch.zeros(3, dtype=torch.bool), 0.5)
    with pytest.raises(ValueError, match="kind: expected one of bev, circle, diou, got 'weighted'"):
        batched_nms(boxes, scores, np.zeros(3, int), 0.5, kind="weighted")  # type: ignore[arg-type]
    for limit in ("pre_max", "max_keep"):
        for value in (0, -1, 1.5, True):
            limits: dict[str, Any] = {limit: value}
            with pytest.raises(ValueError, match=f"{limit}: expected None or a whole number >= 1, got {value}"):
                nms_bev(boxes, scores, 0.5, **limits)
