"""What a checkpoint holds, and files that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_worlds import BlockWorld, with_voxels

from bev3d._errors import DataFormatError, UserError
from bev3d.config import Config
from bev3d.training import load_detector, train
from bev3d.training._checkpoint import load_checkpoint


@pytest.fixture
def checkpoint(small_config: Config, world: BlockWorld, tmp_path: Path) -> Path:
    return train(small_config, ".", tmp_path, dataset=world, max_seconds=0.0).checkpoint


def test_holds_what_a_run_needs_and_nothing_that_executes(checkpoint: Path, small_config: Config) -> None:
    content = torch.load(checkpoint, weights_only=True)
    assert {"model", "optimiser", "scheduler", "scaler", "random", "sampler", "config", "step"} < set(content)
    assert content["sampler"] == {"position": 2, "length": 6, "seed": 0}
    assert load_checkpoint(checkpoint).config == small_config


@pytest.mark.parametrize("cut", [0, 10, 3000, -40])
def test_cut_file(checkpoint: Path, small_config: Config, world: BlockWorld, cut: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:cut])
    with pytest.raises(DataFormatError, match=r"checkpoint\.pt: expected a checkpoint of bev3d"):
        load_checkpoint(checkpoint)
    damaged = checkpoint.read_bytes()
    with pytest.raises(DataFormatError, match="; train into another folder, or start anew without resuming"):
        train(small_config, ".", checkpoint.parent, dataset=world)
    assert checkpoint.read_bytes() == damaged


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (self.path, "w")


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    file, mark = tmp_path / "checkpoint.pt", tmp_path / "was_run"
    torch.save({"format": Trap(str(mark))}, file)
    with pytest.raises(DataFormatError, match="cannot be read as one"):
        load_checkpoint(file)
    assert not mark.exists()


def test_other_contents(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    torch.save({"state_dict": {}}, file)
    with pytest.raises(DataFormatError, match="marked 'bev3d checkpoint 2'"):
        load_checkpoint(file)


def test_configuration_of_another_version(checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["sweps"] = content["config"].pop("sweeps")
    torch.save(content, checkpoint)
    with pytest.raises(DataFormatError, match="sweps"):
        load_checkpoint(checkpoint)


def test_settings_that_came_later_have_their_default(checkpoint: Path, small_config: Config) -> None:
    content = torch.load(checkpoint, weights_only=True)
    del content["config"]["encoder_norm_momentum"]
    torch.save(content, checkpoint)
    assert load_checkpoint(checkpoint).config == small_config


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt: expected a checkpoint"):
        load_checkpoint(tmp_path / "none.pt")


def test_detector_of_another_network_is_refused(checkpoint: Path, small_config: Config) -> None:
    detector, config = load_detector(checkpoint)
    assert config == small_config
    assert not detector.training
    load_detector(checkpoint, replace(small_config, score_threshold=0.5))
    with pytest.raises(UserError, match=r"expected channels \(8, 8\) as the checkpoint was trained, got \(8, 16\)"):
        load_detector(checkpoint, replace(small_config, channels=(8, 16)))


def test_whose_sparse_convolution_runs_may_change(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    config = with_voxels(small_config)
    file = train(config, ".", tmp_path, dataset=world, max_seconds=0.0).checkpoint
    for backend in ("auto", "bev3d", "spconv"):
        _, taken = load_detector(file, replace(config, sparse_backend=backend))
        assert taken.sparse_backend == backend
    assert train(replace(config, sparse_backend="auto"), ".", tmp_path, dataset=world).steps == 6
