"""One step: parts of a batch, the moving average, overflow, and numbers that are none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training_worlds import BlockWorld, with_anchors

from bev3d.config import Config
from bev3d.training import DivergedError, Sampler, TrainingBatch, TrainingBatches, WeightAverage, load_checkpoint, train
from bev3d.training._ranks import Ranks
from bev3d.training._state import TrainingState, build_state
from bev3d.training._step import take_step

CPU = torch.device("cpu")


def start(config: Config, world: BlockWorld, *, batch_norm: bool = True) -> tuple[TrainingState, TrainingBatches]:
    sampler = Sampler(len(world), config.seed)
    state = build_state(config, Ranks(), CPU, sampler)
    if not batch_norm:
        for layer in state.model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    return state, TrainingBatches(world, sampler, config)


def parts(batches: TrainingBatches, step: int, count: int) -> Sequence[TrainingBatch]:
    return [batches(step * count + i) for i in range(count)]


def largest_difference(one: nn.Module, two: nn.Module) -> float:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("head", ["shared", "anchor"])
def test_parts_that_are_added_up_equal_one_large_batch(small_config: Config, head: str, empty: bool) -> None:
    config = replace(small_config, learning_rate=1e-3, iou_weight=0.5, corner_weight=0.5)
    config = with_anchors(config) if head == "anchor" else config
    world = BlockWorld(config, 7)
    if empty:  # of the parts of a batch, some have objects and some have none
        bare = BlockWorld(config, 7, objects=0)
        world._samples = [(world if i % 3 else bare)._samples[i] for i in range(7)]
    large, large_batches = start(replace(config, batch_size=6), world, batch_norm=False)
    small, small_batches = start(replace(config, batch_size=2, accumulate=3), world, batch_norm=False)
    assert large.total_steps == small.total_steps
    for step in range(3):
        one = take_step(large, parts(large_batches, step, 1))
        three = take_step(small, parts(small_batches, step, 3))
        assert three.terms.keys() == one.terms.keys()
        for name, value in one.terms.items():
            assert three.terms[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
        assert three.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-5)
    assert largest_difference(large.model, small.model) < 1e-6


def test_average_in_closed_form() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 0.75)
    expected = torch.ones(2, dtype=torch.float64)
    for n in range(8):
        with torch.no_grad():
            model.weight.fill_(n * n)
            model.num_batches_tracked.fill_(n)
        average.update(model)
        decay = min(0.75, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * n * n
        torch.testing.assert_close(average.weights["weight"].double(), expected, rtol=1e-6, atol=1e-6)
    assert int(average.weights["num_batches_tracked"]) == 7
    again = WeightAverage(model, 0.75)
    again.load_state_dict(average.state_dict())
    assert again.updates == 8
    torch.testing.assert_close(again.weights, average.weights)
    assert model.weight.tolist() == [49.0, 49.0]  # the model itself is left alone


def test_what_predicts_is_the_average(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(train(replace(small_config, ema_decay=0.9), ".", tmp_path, dataset=world).checkpoint)
    averaged, plain = checkpoint.state["ema"]["weights"], checkpoint.state["model"]
    assert checkpoint.weights.keys() == plain.keys()
    assert all(torch.equal(checkpoint.weights[name], averaged[name]) for name in averaged)
    assert any(not torch.equal(averaged[name], plain[name]) for name in averaged)
    assert checkpoint.state["ema"]["updates"] == 6


def test_float16_learns_and_keeps_its_scale(small_config: Config, tmp_path: Path) -> None:
    config = replace(small_config, precision="float16", epochs=60.0, batch_size=1)
    config = replace(config, flip=False, rotate_rad=0.0, scale_range=0.0)
    result = train(config, ".", tmp_path, dataset=BlockWorld(config, 1))
    rows = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    state = load_checkpoint(result.checkpoint).state
    assert rows[-1]["losses"]["heatmap"] < 2.0
    assert state["scaler"]["scale"] == 65536.0 / 2**result.skipped
    assert state["skipped"] == result.skipped == rows[-1]["skipped"]
    assert result.steps == result.total_steps


def test_float16_that_overflows_skips_and_goes_on(small_config: Config, world: BlockWorld) -> None:
    state, batches = start(replace(small_config, precision="float16"), world)
    state.scaler.load_state_dict({**state.scaler.state_dict(), "scale": 2.0**60})
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    rates = []
    for step in range(80):
        result = take_step(state, parts(batches, step, 1))
        rates.append(result.skipped)
        if not result.skipped:
            break
        assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())
    assert state.step == len(rates)
    assert state.skipped == len(rates) - 1 > 5
    assert state.scaler.get_scale() == 2.0 ** (60 - state.skipped)
    assert state.scheduler.last_epoch == 1
    assert any(not torch.equal(value, before[name]) for name, value in state.model.state_dict().items())


def test_float16_does_not_hide_what_is_no_number_in_any_precision(small_config: Config) -> None:
    config = replace(small_config, precision="float16", batch_size=1, flip=False, rotate_rad=0.0, scale_range=0.0)
    world = BlockWorld(config, 1)
    world._samples[0].points[:, 3] = np.float32("inf")
    state, batches = start(config, world)
    with pytest.raises(DivergedError, match=r"heatmap = nan.*block-0"):
        take_step(state, parts(batches, 0, 1))


def test_no_number_names_term_task_and_sample_and_leaves_the_weights(small_config: Config, tmp_path: Path) -> None:
    config = replace(small_config, batch_size=3, flip=False, rotate_rad=0.0, scale_range=0.0)
    world = BlockWorld(config, 3)
    state, batches = start(config, world)
    batch = batches(0)
    bad = batch.tokens.index("block-1")
    second = batch.targets.tasks[1]
    second.regression["height"][bad] = math.inf
    second.mask[bad, 0] = True
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    with pytest.raises(DivergedError, match=r"step 1: .*got height = inf in the tasks pedestrian for") as caught:
        take_step(state, [batch])
    assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())
    assert state.step == 0
    caught.value.write(tmp_path / "dump.json")
    report = json.loads((tmp_path / "dump.json").read_text())
    (part,) = report["ranks"][0]["parts"]
    assert part["tokens"] == list(batch.tokens)
    assert part["tasks"] == {"pedestrian": ["height"]}
    assert report["losses"]["height"] == "inf"


def test_of_a_batch_only_the_sample_is_named_that_is_no_number_by_itself(small_config: Config, tmp_path: Path) -> None:
    config = replace(small_config, batch_size=3, flip=False, rotate_rad=0.0, scale_range=0.0)
    world = BlockWorld(config, 3)
    world._samples[2].points[:, 3] = np.float32("inf")
    with pytest.raises(DivergedError, match=r"in the tasks car, truck; pedestrian for the samples block-2; look"):
        train(config, ".", tmp_path, dataset=world)
    assert json.loads((tmp_path / "diverged.json").read_text())["ranks"][0]["parts"][0]["suspects"] == ["block-2"]


def test_a_gradient_that_is_no_number_names_its_parameters(small_config: Config, world: BlockWorld) -> None:
    state, batches = start(small_config, world)
    name, bias = [pair for pair in state.model.named_parameters() if pair[0].endswith("heatmap.bias")][-1]
    bias.register_hook(lambda gradient: gradient * math.nan)
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    with pytest.raises(DivergedError, match=rf"got gradient = nan \({re.escape(name)}\) for the samples block-"):
        take_step(state, [batches(0)])
    assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())


def test_what_the_network_draws_is_the_steps_own(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    train(small_config, ".", tmp_path, dataset=world)
    assert torch.equal(torch.rand(3), expected)  # the caller's generator is left alone
