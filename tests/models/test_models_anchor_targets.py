"""Anchors of a configuration: which are positive, what they learn, and the way back to boxes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from models_samples import no_objects, objects, perfect_anchors

from bev3d.config import Config
from bev3d.models import AnchorTargets, decode_outputs, make_targets
from bev3d.models._anchor_decode import _anchors_at
from bev3d.models._anchor_targets import anchors_from_config
from bev3d.overlap import pairwise_iou_bev
from bev3d.targets import Targets

NEGATIVE, IGNORED = -1, -2


def targets_of(config: Config, boxes: list[torch.Tensor], labels: list[torch.Tensor]) -> AnchorTargets:
    targets = make_targets(config)(boxes, labels)
    assert isinstance(targets, AnchorTargets)
    return targets


def test_positives_and_ignored_by_the_definition(anchor_config: Config) -> None:
    boxes, labels = objects(anchor_config, 9, seed=3)
    labels = [torch.arange(9) % 3 for _ in labels]
    sizes = torch.tensor(anchor_config.anchor_sizes_m, dtype=torch.float64)
    for b in range(2):  # sizes and headings as those of the anchors, so that overlaps come near to 1
        boxes[b][:, 6] /= 20
        boxes[b][:, 3:6] = sizes[labels[b]] * (boxes[b][:, 3:6] / 10 + 0.85)
    targets = targets_of(anchor_config, boxes, labels)
    anchors = anchors_from_config(anchor_config)
    assert targets.labels.shape == (2, 16 * 16 * 6)
    high, low = torch.tensor(anchor_config.anchor_matched), torch.tensor(anchor_config.anchor_unmatched)
    for b in range(2):
        overlap = pairwise_iou_bev(anchors.boxes.double(), boxes[b][:, :7])
        overlap[anchors.labels[:, None] != labels[b]] = 0
        best = overlap.amax(dim=1).float()
        found = targets.labels[b].long()
        forced = (found >= 0) & (best < high[anchors.labels])
        assert forced.sum() <= len(boxes[b])
        assert torch.equal((found >= 0) & ~forced, best >= high[anchors.labels])
        assert torch.equal(found == IGNORED, (best >= low[anchors.labels]) & (best < high[anchors.labels]) & ~forced)
        by_class = [int(((best >= high[c]) & (anchors.labels == c)).sum()) for c in range(3)]
        assert min(by_class) > 0, "every class has positives without force"
        assert torch.equal(found[found >= 0], anchors.labels[found >= 0])
        assert torch.equal(targets.index[b, targets.mask[b]], (found >= 0).nonzero()[:, 0])
    assert targets.unassigned == ((), ())


def test_codes_decode_to_the_boxes(anchor_config: Config) -> None:
    boxes, labels = objects(anchor_config, 5, seed=4)
    targets = targets_of(anchor_config, boxes, labels)
    mask = targets.mask
    assert torch.equal(targets.anchors, anchors_from_config(anchor_config).boxes[targets.index])
    assert torch.isnan(targets.code[~mask]).all()
    assert torch.isnan(targets.boxes[~mask]).all()
    for b in range(2):
        own = targets.boxes[b, mask[b]].double()
        distance = (own[:, None] - boxes[b][None]).abs().amax(-1)
        assert (distance.amin(dim=1) < 1e-5).all()
        assert (distance.amin(dim=0) < 1e-5).all(), "every object has an anchor"


def test_frames_without_objects_and_objects_outside(anchor_config: Config) -> None:
    none = targets_of(anchor_config, *no_objects())
    assert none.index.shape == none.mask.shape == (2, 0)
    assert torch.all(none.labels == NEGATIVE)
    far = torch.tensor([[100.0, 0, -1, 2, 1, 1, 0], [0.3, 0, -1, 2, 1, 1, 0.2]], dtype=torch.float64)
    targets = targets_of(anchor_config, [far], [torch.tensor([0, 0])])
    assert targets.unassigned == ((0,),)
    assert torch.isnan(targets.boxes[..., 7:]).all(), "boxes of seven columns have no velocity"


def test_an_object_to_ignore_takes_its_negatives_out(anchor_config: Config) -> None:
    box = torch.tensor([[0.3, 0.2, -1.0, 3.0, 3.0, 1.0, 0.2]], dtype=torch.float64)
    targets = targets_of(anchor_config, [box], [torch.tensor([-1])])
    assert not targets.mask.any()
    assert (targets.labels == IGNORED).any()
    assert targets.unassigned == ((0,),)


def test_impossible_input_is_named(anchor_config: Config) -> None:
    make = make_targets(anchor_config)
    with pytest.raises(ValueError, match="labels: expected 1 samples"):
        make([torch.zeros(0, 7)], [])
    with pytest.raises(ValueError, match="boxes"):
        make([torch.full((1, 7), math.nan, dtype=torch.float64)], [torch.tensor([0])])


def test_moving_keeps_everything(anchor_config: Config) -> None:
    targets = targets_of(anchor_config, *objects(anchor_config, 3))
    moved = targets.to("cpu", non_blocking=True)
    assert isinstance(moved, AnchorTargets)
    assert torch.equal(moved.labels, targets.labels)
    assert moved.unassigned == targets.unassigned


def test_centre_heads_keep_their_targets(tiny_config: Config) -> None:
    assert isinstance(make_targets(tiny_config)(*objects(tiny_config, 2)), Targets)


@pytest.mark.parametrize("align", ["cell_centre", "range_ends"])
def test_anchors_by_index_are_those_of_the_grid(anchor_config: Config, align: str) -> None:
    config = replace(anchor_config, anchor_align=align, range_m=(0.0, -4.0, -3.0, 12.0, 4.0, 1.0))  # type: ignore[arg-type]
    everything = anchors_from_config(config).boxes
    index = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))[:500]
    torch.testing.assert_close(_anchors_at(index, config).float(), everything[index], atol=1e-5, rtol=0)


@pytest.mark.parametrize("align", ["cell_centre", "range_ends"])
@pytest.mark.parametrize("velocity", [True, False])
def test_decoding_undoes_the_targets(anchor_config: Config, align: str, velocity: bool) -> None:
    config = replace(anchor_config, anchor_align=align, velocity_head=velocity, score_threshold=0.5)  # type: ignore[arg-type]
    boxes, labels = objects(config, 6, seed=5)
    targets = targets_of(config, boxes, labels)
    found = decode_outputs(perfect_anchors(targets, config), config)
    for b, (decoded, scores, classes) in enumerate(found):
        assert len(decoded) == targets.mask[b].sum()
        assert decoded.shape[1] == 9
        assert torch.all(scores > 0.999)
        distance = decoded[:, None, :6].double() - boxes[b][None, :, :6]
        nearest = distance.abs().amax(-1).argmin(1)
        truth = boxes[b][nearest]
        torch.testing.assert_close(decoded[:, :6].double(), truth[:, :6], atol=2e-5, rtol=0)
        turn = decoded[:, 6].double() - truth[:, 6]
        assert torch.all(torch.cos(turn) > 1 - 1e-9), "not a turn by pi either"
        assert torch.equal(classes, labels[b][nearest])
        if velocity:
            torch.testing.assert_close(decoded[:, 7:].double(), truth[:, 7:], atol=1e-5, rtol=0)
        else:
            assert torch.isnan(decoded[:, 7:]).all()


def test_the_direction_decides_what_the_sine_cannot(anchor_config: Config) -> None:
    config = replace(anchor_config, score_threshold=0.5)
    boxes, labels = objects(config, 6, seed=6)
    targets = targets_of(config, boxes, labels)
    outputs = perfect_anchors(targets, config)
    with torch.no_grad():
        outputs[0]["box_code"][..., 6] += math.pi
    for (decoded, _, _), truth in zip(decode_outputs(outputs, config), boxes, strict=True):
        nearest = (decoded[:, None, :3].double() - truth[None, :, :3]).norm(dim=-1).argmin(1)
        assert torch.all(torch.cos(decoded[:, 6].double() - truth[nearest, 6]) > 1 - 1e-9)


def test_best_boxes_first_and_no_more_than_asked_for(anchor_config: Config) -> None:
    config = replace(anchor_config, score_threshold=0.3, max_objects=7)
    torch.manual_seed(0)
    count = len(anchors_from_config(config).boxes)
    outputs = {"class_logits": torch.randn(2, count, 3), "box_code": torch.zeros(2, count, 9),
               "direction_logits": torch.zeros(2, count, 2)}  # fmt: skip
    for boxes, scores, labels in decode_outputs([outputs], config):
        assert boxes.shape == (7, 9)
        assert torch.equal(scores, scores.sort(descending=True).values)
        assert labels.shape == (7,)
    best = outputs["class_logits"][0].amax(-1).sigmoid().topk(7).values
    assert torch.equal(decode_outputs([outputs], config)[0][1], best)
    quiet = {**outputs, "class_logits": outputs["class_logits"] - 100}
    assert [tuple(part.shape) for part in decode_outputs([quiet], config)[0]] == [(0, 9), (0,), (0,)]
