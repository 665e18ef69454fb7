"""The network: its size, its maps, its gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bev3d.config import Config, load_config
from bev3d.models import ModelInputs, build_detector, encoder_channels


def inputs_of(images: Tensor) -> ModelInputs:
    return ModelInputs({"images": images}, len(images))


def test_size_of_the_nuscenes_preset() -> None:
    detector = build_detector(load_config("synthetic_nuscenes"))
    assert sum(parameter.numel() for parameter in detector.parameters()) == 214_484


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_maps_by_task(tiny_config: Config, stride: int) -> None:
    config = replace(tiny_config, stride=stride)
    columns, rows = config.output_size
    outputs = build_detector(config)(inputs_of(torch.zeros(3, encoder_channels(config), *config.grid_size[::-1])))
    sizes = {"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2}
    assert len(outputs) == 2
    for maps, classes in zip(outputs, (2, 1), strict=True):
        assert {name: tuple(value.shape) for name, value in maps.items()} == {
            name: (3, size, rows, columns) for name, size in {"heatmap": classes, **sizes}.items()
        }
        assert all(value.dtype == torch.float32 for value in maps.values())


def test_grid_that_is_not_square(tiny_config: Config) -> None:
    config = replace(tiny_config, range_m=(0.0, -4.0, -3.0, 12.0, 4.0, 1.0))
    maps = build_detector(config)(inputs_of(torch.zeros(1, encoder_channels(config), 32, 48)))[0]
    assert maps["heatmap"].shape[-2:] == (16, 24)


def test_untrained_heatmap_starts_low(tiny_config: Config) -> None:
    detector = build_detector(tiny_config).eval()
    heatmap = detector(inputs_of(torch.zeros(1, encoder_channels(tiny_config), 32, 32)))[0]["heatmap"].sigmoid()
    assert heatmap.mean().item() == pytest.approx(0.1, abs=0.03)


def test_gradients_reach_every_parameter(tiny_config: Config) -> None:
    detector = build_detector(tiny_config)
    outputs = detector(inputs_of(torch.randn(2, encoder_channels(tiny_config), 32, 32)))
    sum(value.square().sum() for maps in outputs for value in maps.values()).backward()
    for name, parameter in detector.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_seed_gives_the_weights_and_leaves_the_generator(tiny_config: Config) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, two = build_detector(tiny_config), build_detector(tiny_config)
    other = build_detector(replace(tiny_config, seed=1))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_samples_of_a_batch_do_not_mix_in_evaluation(tiny_config: Config) -> None:
    detector = build_detector(tiny_config).eval()
    images = torch.randn(2, encoder_channels(tiny_config), 32, 32)
    both, single = detector(inputs_of(images))[0], detector(inputs_of(images[1:]))[0]
    for name in both:
        torch.testing.assert_close(both[name][1:], single[name], rtol=1e-4, atol=1e-5)
