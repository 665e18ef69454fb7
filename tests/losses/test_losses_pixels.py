"""Traps of the Lovász losses; distance maps, border weights and Boundary IoU against scipy and OpenCV."""

from __future__ import annotations

import cv2
import kornia
import numpy as np
import pytest
import torch
from scipy import ndimage

from bev3d.losses import (
    boundary_iou,
    boundary_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    signed_distance_map,
    unet_border_weights,
)


def test_lovasz_softmax_equals_kornia_where_every_class_is_there() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 8, 9, dtype=torch.float64), torch.randint(0, 3, (2, 8, 9))
    expected = kornia.losses.lovasz_softmax_loss(logits, labels)
    # kornia takes the pixels of each sample
    torch.testing.assert_close(lovasz_softmax_loss(logits, labels, per_sample=True, reduction="mean"), expected)


def test_lovasz_hinge_equals_kornia() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 1, 8, 9, dtype=torch.float64), torch.randint(0, 2, (2, 8, 9))
    expected = kornia.losses.lovasz_hinge_loss(logits, labels)
    torch.testing.assert_close(lovasz_hinge_loss(logits[:, 0], labels, reduction="mean"), expected)


def test_at_wrong_and_right_pixels_lovasz_is_the_jaccard_loss() -> None:
    labels = torch.tensor([[0, 0, 1, 1, 1, 1]])
    predicted = torch.tensor([[0, 1, 1, 1, 1, 0]])
    logits = 100.0 * torch.nn.functional.one_hot(predicted, 2).movedim(-1, 1)
    loss = lovasz_softmax_loss(logits, labels)
    assert loss.tolist() == pytest.approx([1 - 1 / 3, 1 - 3 / 5])


def test_lovasz_by_sample_is_lovasz_of_each() -> None:
    logits, labels = torch.randn(3, 4, 50), torch.randint(0, 4, (3, 50))
    together = lovasz_softmax_loss(logits, labels, per_sample=True)
    for k in range(3):
        torch.testing.assert_close(together[k], lovasz_softmax_loss(logits[k : k + 1], labels[k : k + 1]))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
def test_distances_equal_scipy(spacing: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    for density in (0.02, 0.3, 0.9):
        mask = rng.random((2, 40, 53)) < density
        actual = signed_distance_map(torch.from_numpy(mask), spacing=spacing).numpy()
        for k in range(2):
            outside = ndimage.distance_transform_edt(~mask[k], sampling=spacing)
            inside = ndimage.distance_transform_edt(mask[k], sampling=spacing)
            expected = np.where(mask[k], min(spacing) - inside, outside)
            np.testing.assert_allclose(actual[k], expected, rtol=1e-6, atol=1e-6)


def test_an_empty_and_a_full_mask_have_no_boundary() -> None:
    masks = torch.stack([torch.zeros(5, 6, dtype=torch.bool), torch.ones(5, 6, dtype=torch.bool)])
    assert (signed_distance_map(masks) == 0).all()


def test_a_right_prediction_has_the_lowest_boundary_loss() -> None:
    mask = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    mask[..., 5:15, 5:15] = True
    distance = signed_distance_map(mask)
    right, shifted = (200.0 * m - 100 for m in (mask.float(), mask.roll(2, -1).float()))
    assert boundary_loss(right, distance).sum() < boundary_loss(shifted, distance).sum()


def test_border_weights_equal_the_equation_with_scipy() -> None:
    instances = torch.zeros(40, 50, dtype=torch.int64)
    instances[5:30, 5:20], instances[8:33, 23:40], instances[35:39, 10:30] = 1, 2, 7
    distances = np.sort([ndimage.distance_transform_edt(instances.numpy() != number) for number in (1, 2, 7)], axis=0)
    expected = np.where(instances.numpy() == 0, 10 * np.exp(-((distances[0] + distances[1]) ** 2) / 50), 0)
    weights = unet_border_weights(instances)
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert weights[15, 21].item() == pytest.approx(10 * np.exp(-16 / 50))
    assert (unet_border_weights(torch.zeros(4, 4, dtype=torch.int64)) == 0).all()


def test_boundary_iou_equals_erosion_by_opencv() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        masks = [ndimage.gaussian_filter(rng.random((90, 120)), 4) > 0.5 for _ in range(2)]
        width = max(1, round(0.02 * np.hypot(90, 120)))
        rims = []
        for mask in masks:
            framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            eroded = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
            rims.append(mask & (eroded == 0))
        expected = (rims[0] & rims[1]).sum() / (rims[0] | rims[1]).sum()
        actual = boundary_iou(*(torch.from_numpy(mask) for mask in masks))
        assert actual.item() == pytest.approx(expected, rel=1e-6)


def test_boundary_iou_of_empty_masks_is_one_and_batches() -> None:
    empty = torch.zeros(2, 3, 10, 10, dtype=torch.bool)
    assert boundary_iou(empty, empty).tolist() == [[1, 1, 1]] * 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lovasz_hinge_loss(torch.zeros(1, 2), torch.tensor([[0, 2]])), ValueError, "target.*got 2"),
        (lambda: lovasz_hinge_loss(torch.zeros(1, 2), torch.zeros(1, 3)), ValueError, r"target.*\(1, 2\).*\(1, 3\)"),
        (lambda: signed_distance_map(torch.zeros(3, 3)), TypeError, "mask.*bool.*float32"),
        (lambda: signed_distance_map(torch.zeros(3, 3).bool(), spacing=(1, 0)), ValueError, "spacing.*0"),
        (lambda: boundary_loss(torch.zeros(1, 2, 3), torch.zeros(1, 3)), ValueError, "distance"),
        (lambda: unet_border_weights(torch.zeros(3, 3)), TypeError, "instances.*float32"),
        (lambda: unet_border_weights(torch.full((3, 3), -1)), ValueError, "instances.*-1"),
        (lambda: boundary_iou(torch.zeros(3, 3).bool(), torch.zeros(3, 4).bool()), ValueError, "target"),
    ],
)
def test_bad_input_is_named(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
