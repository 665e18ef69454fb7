"""When bfloat16 is taken, and that a run in it learns and repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_worlds import BlockWorld

from bev3d.config import Config
from bev3d.models import ModelInputs, build_detector, encoder_channels
from bev3d.training import _precision as module
from bev3d.training import train
from bev3d.training._checkpoint import load_checkpoint
from bev3d.training._precision import half_precision


@pytest.mark.parametrize(
    ("precision", "native", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_choice(monkeypatch: pytest.MonkeyPatch, precision: str, native: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(module, "has_bfloat16", lambda: native)
    with half_precision(precision):  # type: ignore[arg-type]
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == expected
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_maps_are_float32_and_close(small_config: Config) -> None:
    torch.manual_seed(0)
    detector = build_detector(small_config).eval()
    inputs = ModelInputs({"images": torch.rand(1, encoder_channels(small_config), 32, 32)}, 1)
    exact = detector(inputs)
    with half_precision("bfloat16"):
        rounded = detector(inputs)
    for one, two in zip(exact, rounded, strict=True):
        for name in one:
            assert two[name].dtype == torch.float32
            torch.testing.assert_close(two[name], one[name], atol=0.05, rtol=0.05)


def test_a_run_in_bfloat16_learns_and_repeats(small_config: Config, tmp_path: Path) -> None:
    config = replace(
        small_config, precision="bfloat16", epochs=60, batch_size=1, flip=False, rotate_rad=0.0, scale_range=0.0
    )
    for name in ("a", "b"):
        losses = train(config, ".", tmp_path / name, dataset=BlockWorld(config, 1)).losses
    assert losses["heatmap"] < 2.0
    one, two = (load_checkpoint(tmp_path / name / "checkpoint.pt").state["model"] for name in ("a", "b"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert all(value.dtype in (torch.float32, torch.int64) for value in one.values())
