"""Mirror images: what is mirrored back is what was there, and merging the same answers changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_worlds import maps_of_targets

from bev3d import ConfigError, UserError
from bev3d.boxes import flip_boxes
from bev3d.config import Config
from bev3d.models import ModelInputs
from bev3d.targets import targets_from_config
from bev3d.training import _detect as detect_module
from bev3d.training import _views as module
from bev3d.training import detect, heatmaps, make_views
from bev3d.training._views import mean_maps, merge_boxes, unflip_maps

FLIPS = [("x",), ("y",), ("x", "y")]
COUNT_OF = {"none": 1, "x": 2, "y": 2, "both": 4}


def random_boxes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Boxes far enough apart that none shares a cell, and labels of the three classes."""
    random = np.random.default_rng(seed)
    places = random.permutation(36)[:count]
    boxes = np.empty((count, 9))
    boxes[:, 0] = -3.1 + 1.2 * (places % 6) + random.uniform(-0.2, 0.2, count)
    boxes[:, 1] = -3.1 + 1.2 * (places // 6) + random.uniform(-0.2, 0.2, count)
    boxes[:, 2] = random.uniform(-2, 0, count)
    boxes[:, 3:6] = random.uniform(0.3, 1.1, (count, 3))
    boxes[:, 6] = random.uniform(-np.pi, np.pi, count)
    boxes[:, 7:] = random.normal(0, 3, (count, 2))
    return torch.from_numpy(boxes), torch.from_numpy(random.integers(0, 3, count))


def flipped(boxes: Tensor, flip: tuple[str, ...]) -> Tensor:
    for axis in flip:
        boxes = flip_boxes(boxes, axis)
    return boxes


@pytest.mark.parametrize("flip", FLIPS, ids="".join)
@pytest.mark.parametrize("radius", ["cornernet", "oriented"])
def test_maps_of_mirrored_targets_mirrored_back_are_the_targets_maps(
    small_config: Config, flip: tuple[str, ...], radius: str
) -> None:
    config = replace(small_config, radius=radius, max_objects=40)
    make = targets_from_config(config)
    worlds = [random_boxes(9, seed) for seed in range(3)]
    expected = maps_of_targets(make([boxes for boxes, _ in worlds], [labels for _, labels in worlds]), config)
    mirrored = maps_of_targets(
        make([flipped(boxes, flip) for boxes, _ in worlds], [labels for _, labels in worlds]), config
    )
    for task, other in zip(expected, mirrored, strict=True):
        back = unflip_maps(other, flip)  # type: ignore[arg-type]  # axes
        filled = (task["log_size"] != 0).any(1, keepdim=True)
        assert int(filled.sum()) > 3
        for name, values in task.items():
            got = back[name]
            if name == "offset":  # 1 - 0 where there is no object
                values, got = values * filled, got * filled
            torch.testing.assert_close(got, values, atol=2e-5, rtol=0, msg=name)


@pytest.mark.parametrize("flip", FLIPS, ids="".join)
def test_twice_mirrored_is_unchanged(small_config: Config, flip: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    sizes = {"heatmap": 2, "offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2, "iou": 1}
    maps = {name: torch.rand(2, size, 5, 7, dtype=torch.float64) for name, size in sizes.items()}
    before = {name: values.clone() for name, values in maps.items()}
    twice = unflip_maps(unflip_maps(maps, flip), flip)  # type: ignore[arg-type]  # axes
    for name, values in before.items():
        torch.testing.assert_close(twice[name], values, atol=1e-15, rtol=0)
        assert torch.equal(maps[name], values)  # the argument stays


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(UserError, match=r"double_flip: expected maps out of .*, got 'angle_bin'"):
        unflip_maps({"angle_bin": torch.zeros(1, 1, 2, 2)}, ("x",))


def test_the_mean_is_of_probabilities_and_of_sizes() -> None:
    one = {"heatmap": torch.tensor([[[[0.0]]]]), "log_size": torch.zeros(1, 3, 1, 1), "height": torch.zeros(1, 1, 1, 1)}
    two = {"heatmap": torch.tensor([[[[20.0]]]]), "log_size": torch.ones(1, 3, 1, 1), "height": torch.ones(1, 1, 1, 1)}
    mean = mean_maps([one, two])
    assert float(mean["heatmap"].sigmoid()) == pytest.approx(0.75, abs=1e-6)
    assert float(mean["log_size"][0, 0].exp()) == pytest.approx((1 + np.e) / 2)
    assert float(mean["height"]) == 0.5
    assert all(torch.equal(mean_maps([two])[name], values) for name, values in two.items())


def encode_as_points(boxes: Tensor, labels: Tensor) -> np.ndarray:
    """A cloud in which each box is four points: centre, centre + heading, sizes, and where its velocity points.

    x and y of the points move with the scene; a size stands at x = y = 0, where no mirror image changes it.
    """
    rows = []
    for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
        x, y, z, length, width, height, yaw, vx, vy = box
        rows += [[x, y, z, label, 0], [x + np.cos(yaw), y + np.sin(yaw), z, 0, 0]]
        rows += [[0, 0, length, width, height], [x + vx, y + vy, z, 0, 0]]
    return np.array(rows, np.float32).reshape(-1, 5)


class EquivariantOracle(nn.Module):
    """Reads its inputs as :func:`encode_as_points` wrote them and answers with the targets of those boxes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def boxes(self, inputs: ModelInputs) -> tuple[list[Tensor], list[Tensor]]:
        boxes, labels = [], []
        for i in range(inputs.batch_size):
            centre, front, size, speed = inputs.tensors[str(i)].double().view(-1, 4, 5).unbind(1)
            yaw = torch.atan2(front[:, 1] - centre[:, 1], front[:, 0] - centre[:, 0])
            parts = [centre[:, :3], size[:, 2:5], yaw[:, None], (speed - centre)[:, :2]]
            boxes.append(torch.cat(parts, dim=1))
            labels.append(centre[:, 3].long())
        return boxes, labels

    def forward(self, inputs: ModelInputs) -> list[dict[str, Tensor]]:
        return maps_of_targets(targets_from_config(self.config)(*self.boxes(inputs)), self.config)


def raw_inputs(clouds: list[np.ndarray], config: Config) -> ModelInputs:
    return ModelInputs({str(i): torch.from_numpy(cloud) for i, cloud in enumerate(clouds)}, len(clouds))


@pytest.mark.parametrize("double_flip", ["x", "y", "both"])
@pytest.mark.parametrize("nms", ["none", "bev", "weighted"])
def test_an_equivariant_network_answers_the_same_with_and_without(
    small_config: Config, monkeypatch: pytest.MonkeyPatch, double_flip: str, nms: str
) -> None:
    monkeypatch.setattr(module, "make_inputs", raw_inputs)
    plain = replace(small_config, nms=nms, score_threshold=0.5, max_objects=40)
    merged = replace(plain, double_flip=double_flip)
    worlds = [random_boxes(count, seed) for seed, count in enumerate((7, 0, 12))]
    clouds = [encode_as_points(*world) for world in worlds]
    oracle = EquivariantOracle(plain)
    results = []
    for config in (plain, merged):
        views = make_views(clouds, config)
        assert len(views) == COUNT_OF[config.double_flip]
        results.append(detect(oracle, views, ["a", "b", "c"], config))
    for one, two, (boxes, _) in zip(*results, worlds, strict=True):
        assert len(one.scores) == len(boxes)
        order_one, order_two = (np.lexsort(found.boxes[:, 1::-1].round(3).T) for found in (one, two))
        np.testing.assert_allclose(two.boxes[order_two], one.boxes[order_one], atol=2e-5)
        np.testing.assert_array_equal(two.labels[order_two], one.labels[order_one])
        np.testing.assert_allclose(two.scores[order_two], one.scores[order_one], atol=1e-6)
    one, two = (heatmaps(oracle, make_views(clouds, config), config)[2][0].probabilities for config in (plain, merged))
    torch.testing.assert_close(two, one, atol=1e-6, rtol=0)


class BoxHead(EquivariantOracle):
    """Answers with the boxes themselves, as a head without heatmaps does."""

    def forward(self, inputs: ModelInputs) -> dict[str, list[Tensor]]:  # type: ignore[override]
        boxes, labels = self.boxes(inputs)
        return {"boxes": boxes, "labels": labels}


@pytest.mark.parametrize("double_flip", ["x", "y", "both"])
def test_boxes_of_other_heads_are_merged(
    small_config: Config, monkeypatch: pytest.MonkeyPatch, double_flip: str
) -> None:
    def decode(outputs: dict[str, list[Tensor]], config: Config) -> list[tuple[Tensor, Tensor, Tensor]]:
        pairs = zip(outputs["boxes"], outputs["labels"], strict=True)
        return [(boxes, torch.linspace(0.9, 0.5, len(boxes), dtype=torch.float64), labels) for boxes, labels in pairs]

    monkeypatch.setattr(module, "make_inputs", raw_inputs)
    monkeypatch.setattr(detect_module, "decode_outputs", decode)
    plain = replace(small_config, nms="none", nms_iou=(0.5, 0.3, 0.3))
    merged = replace(plain, double_flip=double_flip)
    worlds = [random_boxes(count, seed) for seed, count in enumerate((7, 0, 12))]
    clouds = [encode_as_points(*world) for world in worlds]
    one, two = (
        detect(BoxHead(plain), make_views(clouds, config), ["a", "b", "c"], config) for config in (plain, merged)
    )
    for first, second in zip(one, two, strict=True):
        order = [np.lexsort(found.boxes[:, 1::-1].round(3).T) for found in (first, second)]
        np.testing.assert_allclose(second.boxes[order[1]], first.boxes[order[0]], atol=1e-6)
        np.testing.assert_array_equal(second.scores[order[1]], first.scores[order[0]])
        np.testing.assert_array_equal(second.labels[order[1]], first.labels[order[0]])
    assert heatmaps(BoxHead(merged), make_views(clouds, merged), merged) == [[], [], []]


def test_what_only_one_view_sees_stays(small_config: Config) -> None:
    boxes, _ = random_boxes(2, 0)
    scores, labels = torch.tensor([0.9, 0.4], dtype=torch.float64), torch.tensor([0, 2])
    views = [(boxes, scores, labels), (boxes[:1], scores[:1], labels[:1])]
    merged, kept, classes = merge_boxes(views, small_config)
    torch.testing.assert_close(merged, boxes)
    assert kept.tolist() == scores.tolist()
    assert classes.tolist() == [0, 2]


def test_no_box_in_any_view(small_config: Config) -> None:
    empty = (torch.zeros(0, 9), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert merge_boxes([empty, empty], small_config)[0].shape == (0, 9)


def test_views_mirror_the_clouds_and_leave_them_alone(small_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_inputs", raw_inputs)
    cloud = np.arange(10, dtype=np.float32).reshape(2, 5)
    views = make_views([cloud, np.zeros((0, 5), np.float32)], replace(small_config, double_flip="both"))
    signs = [(1, 1), (-1, 1), (1, -1), (-1, -1)]
    for view, (x, y) in zip(views, signs, strict=True):
        np.testing.assert_array_equal(view.tensors["0"].numpy(), cloud * [x, y, 1, 1, 1])
        assert view.tensors["1"].shape == (0, 5)
    np.testing.assert_array_equal(cloud, np.arange(10).reshape(2, 5))


def test_a_range_that_has_no_mirror_image(small_config: Config) -> None:
    aside = (0.0, -4.0, -3.0, 8.0, 4.0, 1.0)
    replace(small_config, range_m=aside, double_flip="y")
    for double_flip in ("x", "both"):
        with pytest.raises(ConfigError, match=r"double_flip: expected no flip of x.*\(here 0.0 to 8.0\)"):
            replace(small_config, range_m=aside, double_flip=double_flip)


def test_too_few_views_are_refused(small_config: Config) -> None:
    config = replace(small_config, double_flip="x")
    with pytest.raises(ValueError, match="expected 2 views of each sample for double_flip x, got 1"):
        detect(EquivariantOracle(config), ModelInputs({}, 0), [], config)
