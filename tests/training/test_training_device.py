"""Devices, repeatable algorithms, and settings that cannot be."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_worlds import BlockWorld, make_config

from bev3d._errors import ConfigError
from bev3d.config import Config
from bev3d.training import load_checkpoint, train
from bev3d.training._device import choose_device, repeatable


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert choose_device("auto") == torch.device("cuda", 0)
    assert choose_device("cuda", local_rank=3) == torch.device("cuda", 3)
    assert choose_device("cuda:2") == torch.device("cuda", 2)
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="expected one of the 4 GPUs of this machine, got cuda:4"):
        choose_device("auto", local_rank=4)


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"device: expected cpu or auto, since .*, got cuda"):
        choose_device("cuda")


def test_flags_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    with suppress(ZeroDivisionError), repeatable(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        raise ZeroDivisionError
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (False, True)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_deterministic_run(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    found = []
    for name, deterministic in (("a", True), ("b", False)):
        config = replace(small_config, deterministic=deterministic)
        found.append(load_checkpoint(train(config, ".", tmp_path / name, dataset=world).checkpoint).weights)
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "gpu"}, "device: expected auto, cpu, cuda or cuda:NUMBER, got 'gpu'"),
        ({"accumulate": 0}, "accumulate: expected a number > 0, got 0"),
        ({"ema_decay": 1.0}, r"ema_decay: expected a number in \[0, 1\), got 1.0"),
        ({"evaluate_samples": -1}, "evaluate_samples: expected a number >= 0, got -1"),
        ({"evaluate_every_steps": 5, "evaluate_every_epochs": 1.0}, "evaluate_every_epochs: expected 0 where"),
        ({"rank_timeout_s": 0.0}, "rank_timeout_s: expected a number > 0, got 0.0"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(make_config(), **changes)


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_trains_on_a_gpu_and_the_checkpoint_moves(small_config: Config, tmp_path: Path, precision: Any) -> None:
    config = replace(small_config, precision=precision, epochs=60.0, batch_size=1, ema_decay=0.5, device="cuda")
    config = replace(config, flip=False, rotate_rad=0.0, scale_range=0.0)
    result = train(config, ".", tmp_path, dataset=BlockWorld(config, 1))
    assert result.losses["heatmap"] < 2.0
    again = replace(config, device="cpu")
    assert train(again, ".", tmp_path, dataset=BlockWorld(config, 1)).steps == result.steps
