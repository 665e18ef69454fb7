"""What goes wrong in a run: the message names it, and what was reached is kept."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_worlds import BlockWorld

from bev3d._errors import DataFormatError, UserError
from bev3d.cli import main
from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training import OutOfMemoryError, SampleError, TrainingInterrupted, load_checkpoint, train
from bev3d.training import _step as step_module


class Reads(BlockWorld):
    """Does something at the n-th read."""

    def __init__(self, config: Config, after: int, act: Callable[[], Any]) -> None:
        super().__init__(config)
        self.after, self.act = after, act

    def __getitem__(self, index: int) -> Sample:
        if len(self.read) == self.after:
            self.act()
        return super().__getitem__(index)


def same_weights(one: Path, two: Path) -> bool:
    first, second = (load_checkpoint(folder / "checkpoint.pt").weights for folder in (one, two))
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C as in a shell: a process started in the background is deaf to it, and what it starts is too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("which", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_a_checkpoint_to_go_on_from(
    small_config: Config, world: BlockWorld, tmp_path: Path, which: signal.Signals, status: int
) -> None:
    config = replace(small_config, epochs=4.0, checkpoint_every_steps=100)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(TrainingInterrupted, match=r"stopped after step \d+ of 12; .* keeps a checkpoint") as stopped:
        train(config, ".", tmp_path / "parts", dataset=Reads(config, 11, lambda: signal.raise_signal(which)))
    assert stopped.value.status == status
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert 0 < load_checkpoint(tmp_path / "parts" / "checkpoint.pt").step < 12
    train(config, ".", tmp_path / "parts", dataset=world)
    train(config, ".", tmp_path / "whole", dataset=world)
    assert same_weights(tmp_path / "parts", tmp_path / "whole")


def test_a_signal_before_the_first_step(small_config: Config, tmp_path: Path) -> None:
    world = Reads(small_config, 0, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted, match=r"stopped after step 0 of 6; .* keeps a checkpoint to go on from"):
        train(small_config, ".", tmp_path, dataset=world)
    assert load_checkpoint(tmp_path / "checkpoint.pt").step == 0
    assert train(small_config, ".", tmp_path, dataset=BlockWorld(small_config)).steps == 6


def test_the_status_of_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise TrainingInterrupted(signal.SIGTERM, "stopped after step 3 of 9; out keeps a checkpoint to go on from")

    monkeypatch.setattr("bev3d.training.train", stopped)
    arguments = ["train", "--config", "synthetic_nuscenes", "--dataroot", str(tmp_path), "--out", str(tmp_path)]
    assert main(arguments) == 143
    assert "bev3d train: stopped after step 3 of 9" in capsys.readouterr().err


def fail(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_a_sample_that_cannot_be_read_is_named_and_the_steps_before_are_kept(
    small_config: Config, world: BlockWorld, tmp_path: Path
) -> None:
    config = replace(small_config, checkpoint_every_steps=100)
    broken = BlockWorld(config)
    torn = Torn(config, "block-4")
    with pytest.raises(SampleError, match=r"sample block-4: could not be prepared for training: KeyError: 'calib'"):
        train(config, ".", tmp_path, dataset=torn)
    reached = [i for i in torn.read if i != 4]
    assert broken.tokens == torn.tokens
    file = tmp_path / "checkpoint.pt"
    assert (load_checkpoint(file).step if file.is_file() else 0) == len(reached[: torn.at]) // 2


class Torn(BlockWorld):
    """One sample raises what a bug in a reader would."""

    def __init__(self, config: Config, token: str) -> None:
        super().__init__(config)
        self.bad, self.at = self.tokens.index(token), 0

    def __getitem__(self, index: int) -> Sample:
        if index == self.bad:
            self.at = self.at or len(self.read)
            raise KeyError("calib")
        return super().__getitem__(index)


def test_a_batch_that_cannot_be_prepared_names_all_its_samples(small_config: Config, tmp_path: Path) -> None:
    world = BlockWorld(small_config, 2)
    world._samples[1].boxes[0, 3] = -1.0  # the reader does not mind; targets do
    with pytest.raises(SampleError, match=r"samples block-\d, block-\d: could not be prepared for training: .*size"):
        train(small_config, ".", tmp_path, dataset=world)


def test_memory_that_runs_out_names_what_to_lower(
    small_config: Config, world: BlockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(small_config, checkpoint_every_steps=100)
    calls = [0]

    def greedy(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            torch.empty(2**50)  # torch's own error for the CPU
        return backward(*arguments)

    backward = step_module._backward
    monkeypatch.setattr(step_module, "_backward", greedy)
    with pytest.raises(OutOfMemoryError, match=r"step 4: out of memory on cpu with batch_size 2, .*lower batch_size"):
        train(config, ".", tmp_path, dataset=world)
    assert load_checkpoint(tmp_path / "checkpoint.pt").step == 3
    monkeypatch.setattr(step_module, "_backward", backward)
    train(config, ".", tmp_path, dataset=world)
    train(config, ".", tmp_path / "whole", dataset=world)
    assert same_weights(tmp_path, tmp_path / "whole")


def test_memory_that_runs_out_in_the_loader(small_config: Config, tmp_path: Path) -> None:
    world = Reads(small_config, 7, lambda: np.zeros(2**50))
    with pytest.raises(OutOfMemoryError, match="out of memory on cpu with batch_size 2"):
        train(small_config, ".", tmp_path, dataset=world)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What a full disk is to a writer: the system refuses to go on (Python ignores the signal that comes with it)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_previous_checkpoint(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world, max_seconds=0.0)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with (
        files_no_larger_than(20_000),
        pytest.raises(UserError, match=r"checkpoint\.pt: the checkpoint of step 2 could not be written \(.*previous"),
    ):
        train(small_config, ".", tmp_path, dataset=world)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        ["checkpoint.pt", "loss.png", "losses.csv", "losses.jsonl"]
    )
    train(small_config, ".", tmp_path, dataset=world)
    train(small_config, ".", tmp_path / "whole", dataset=world)
    assert same_weights(tmp_path, tmp_path / "whole")


def test_a_log_that_was_edited_is_refused(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world, max_seconds=0.0)
    (tmp_path / "losses.jsonl").write_text("step 1\n")
    with pytest.raises(DataFormatError, match=r"losses\.jsonl, line 1: expected a JSON row with 'step', got 'step 1'"):
        train(small_config, ".", tmp_path, dataset=world)


def test_half_written_checkpoints_of_killed_runs_go_away(
    small_config: Config, world: BlockWorld, tmp_path: Path
) -> None:
    (tmp_path / ".checkpoint.x1y2.pt").write_bytes(b"half")
    train(small_config, ".", tmp_path, dataset=world)
    assert not list(tmp_path.glob(".*"))
