"""SECOND's backbone and the heads that were published: shapes, strides, starting values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bev3d.models import AnchorHead, Rpn, SeparateHead


def test_rpn_brings_every_level_to_one_resolution() -> None:
    rpn = Rpn(
        3,
        channels=(4, 6, 8),
        blocks=(0, 1, 2),
        strides=(2, 2, 2),
        upsample_channels=(2, 3, 4),
        upsample=(0.5, 1.0, 2.0),
    )
    assert rpn.out_channels == 9
    assert rpn(torch.zeros(2, 3, 32, 48)).shape == (2, 9, 8, 12)
    kernels = [(type(layers[0]), layers[0].kernel_size, layers[0].stride) for layers in rpn.enlarged]
    assert kernels == [
        (nn.Conv2d, (2, 2), (2, 2)),
        (nn.Conv2d, (1, 1), (1, 1)),
        (nn.ConvTranspose2d, (2, 2), (2, 2)),
    ]
    assert [sum(isinstance(layer, nn.Conv2d) for layer in level) for level in rpn.levels] == [1, 2, 3]
    assert all(layer.bias is None for layer in rpn.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))


def test_a_cell_of_the_rpn_lies_over_its_image() -> None:
    """An impulse in one corner is answered in that corner, at every level."""
    torch.manual_seed(0)
    rpn = Rpn(1, channels=(4, 4), blocks=(0, 0), strides=(1, 2), upsample_channels=(4, 4), upsample=(1.0, 2.0)).eval()
    image = torch.zeros(1, 1, 16, 16)
    quiet = rpn(image)
    image[..., 12, 2] = 1.0
    changed = (rpn(image) - quiet).abs().sum(1)[0]
    for part in ((rpn(image) - quiet)[0, :4], (rpn(image) - quiet)[0, 4:]):
        rows, columns = part.abs().sum(0).nonzero(as_tuple=True)
        assert 10 <= rows.min() <= 12 <= rows.max() <= 15
        assert 0 <= columns.min() <= 2 <= columns.max() <= 5
    assert changed.sum() > 0


def test_separate_head_has_a_branch_for_each_map() -> None:
    head = SeparateHead(6, 8, 4, classes=(1, 2), sizes={"offset": 2, "iou": 1})
    outputs = head(torch.randn(3, 6, 5, 7))
    shapes = [{name: tuple(value.shape) for name, value in maps.items()} for maps in outputs]
    assert shapes == [
        {"heatmap": (3, classes, 5, 7), "offset": (3, 2, 5, 7), "iou": (3, 1, 5, 7)} for classes in (1, 2)
    ]
    for task in head.tasks:
        assert torch.all(task["heatmap"][-1].bias == -2.19)
        assert torch.all(task["offset"][-1].bias == 0)
    outputs[1]["iou"].sum().backward()
    assert head.tasks[1]["iou"][0].weight.grad is not None
    assert head.tasks[0]["iou"][0].weight.grad is None
    assert head.tasks[1]["offset"][0].weight.grad is None


def test_anchor_head_orders_its_outputs_as_the_anchors() -> None:
    head = AnchorHead(4, anchors=2, classes=3, code=7, directions=2)
    with torch.no_grad():
        for name, branch in head.branches.items():
            branch.weight.zero_()
            size = head.sizes[name]
            branch.bias.copy_(torch.arange(2 * size))
            branch.weight[:, 0, 0, 0] = 100.0
    image = torch.zeros(1, 4, 2, 3)
    image[0, 0] = torch.arange(6.0).reshape(2, 3)
    (outputs,) = head(image)
    for name, size in (("class_logits", 3), ("box_code", 7), ("direction_logits", 2)):
        expected = 100.0 * torch.arange(6.0)[:, None, None] + torch.arange(2.0 * size).reshape(2, size)
        assert torch.equal(outputs[name][0], expected.reshape(12, size))


def test_anchor_head_starts_with_rare_positives_at_the_anchors() -> None:
    torch.manual_seed(0)
    (outputs,) = AnchorHead(16, anchors=4, classes=3, code=9, directions=2)(4 * torch.randn(2, 16, 8, 8).relu())
    assert outputs["class_logits"].sigmoid().mean().item() == pytest.approx(0.01, rel=0.1)
    assert outputs["box_code"].abs().max().item() < 0.3
    assert math.isclose(outputs["class_logits"].mean().item(), -math.log(99), rel_tol=0.05)
