"""A run as a whole: it learns, it can stop anywhere, and it says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_worlds import BlockWorld, with_anchors, with_pillars, with_voxels

from bev3d._errors import UserError
from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training import DivergedError, train
from bev3d.training._checkpoint import load_checkpoint


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "checkpoint.pt").state["model"]


def assert_equal_weights(one: Path, two: Path) -> None:
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


class Stops(BlockWorld):
    """Fails at its n-th read, as a killed process or a torn disk would."""

    def __init__(self, config: Config, after: int) -> None:
        super().__init__(config)
        self.after = after

    def __getitem__(self, index: int) -> Sample:
        if len(self.read) >= self.after:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def test_overfits_one_sample(small_config: Config, tmp_path: Path) -> None:
    config = replace(
        small_config, epochs=120, batch_size=1, flip=False, rotate_rad=0.0, scale_range=0.0, log_every_steps=10
    )
    result = train(config, ".", tmp_path, dataset=BlockWorld(config, 1))
    rows = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert result.steps == result.total_steps == 120
    assert [row["step"] for row in rows] == list(range(10, 130, 10))
    assert rows[-1]["losses"]["total"] < 0.2 * rows[0]["losses"]["total"]
    assert rows[-1]["losses"]["heatmap"] < 0.2 * rows[0]["losses"]["heatmap"]
    assert result.losses == rows[-1]["losses"]
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"


def test_seed_decides_everything(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(replace(small_config, seed=seed), ".", tmp_path / name, dataset=world)
    assert_equal_weights(tmp_path / "a", tmp_path / "b")
    first, other = weights(tmp_path / "a"), weights(tmp_path / "c")
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("after", [5, 7, 9])
def test_resumed_run_equals_an_uninterrupted_one(
    small_config: Config, world: BlockWorld, tmp_path: Path, after: int
) -> None:
    train(small_config, ".", tmp_path / "whole", dataset=world)
    with pytest.raises(KeyboardInterrupt):
        train(small_config, ".", tmp_path / "parts", dataset=Stops(small_config, after))
    if (tmp_path / "parts" / "checkpoint.pt").is_file():
        assert 0 < load_checkpoint(tmp_path / "parts" / "checkpoint.pt").step < 6
    result = train(small_config, ".", tmp_path / "parts", dataset=world)
    assert result.steps == 6
    assert_equal_weights(tmp_path / "whole", tmp_path / "parts")
    logs = [
        [json.loads(line) for line in (tmp_path / name / "losses.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [row["losses"] for row in logs[0]] == [row["losses"] for row in logs[1]]
    states = [load_checkpoint(tmp_path / name / "checkpoint.pt").state for name in ("whole", "parts")]
    for one, two in zip(*(s["optimiser"]["state"].values() for s in states), strict=True):
        assert torch.equal(one["exp_avg_sq"], two["exp_avg_sq"])
    assert states[0]["scheduler"] == states[1]["scheduler"]


def test_time_limit_leaves_a_checkpoint_to_go_on_from(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    first = train(small_config, ".", tmp_path / "parts", dataset=world, max_seconds=0.0)
    assert first.steps == 1 < first.total_steps
    while train(small_config, ".", tmp_path / "parts", dataset=world, max_seconds=0.0).steps < 6:
        pass
    train(small_config, ".", tmp_path / "whole", dataset=world)
    assert_equal_weights(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("change", [with_pillars, with_voxels, with_anchors])
def test_every_network_goes_on_to_the_bit(
    small_config: Config, world: BlockWorld, tmp_path: Path, change: Callable[[Config], Config]
) -> None:
    config = change(small_config)
    train(config, ".", tmp_path / "whole", dataset=world)
    with pytest.raises(KeyboardInterrupt):
        train(config, ".", tmp_path / "parts", dataset=Stops(config, 9))
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt").step < 6
    assert train(config, ".", tmp_path / "parts", dataset=world).steps == 6
    assert_equal_weights(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_is_left_alone(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    result = train(small_config, ".", tmp_path, dataset=world)
    assert result.steps == result.total_steps
    assert result.losses
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_without_resume_it_starts_anew(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world, max_seconds=0.0)
    result = train(replace(small_config, seed=5), ".", tmp_path, dataset=world, resume=False)
    assert result.steps == 6
    rows = (tmp_path / "losses.jsonl").read_text().splitlines()
    assert len(rows) == 6


def test_checkpoint_of_another_configuration_is_refused(
    small_config: Config, world: BlockWorld, tmp_path: Path
) -> None:
    train(small_config, ".", tmp_path, dataset=world, max_seconds=0.0)
    with pytest.raises(UserError, match=r"1 settings differ \(learning_rate: checkpoint 0.003, now 0.001\)"):
        train(replace(small_config, learning_rate=1e-3), ".", tmp_path, dataset=world)
    with pytest.raises(UserError, match=r"the data set of the checkpoint \(6 samples\), got one of 4"):
        train(small_config, ".", tmp_path, dataset=BlockWorld(small_config, 4))
    # what changes no weight may change
    train(replace(small_config, score_threshold=0.3, log_every_steps=2), ".", tmp_path, dataset=world)


def test_other_epochs_are_another_run(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world)
    with pytest.raises(UserError, match=r"epochs: checkpoint 2\.0, now 3\.0"):
        train(replace(small_config, epochs=3.0), ".", tmp_path, dataset=world)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_sample(small_config: Config, tmp_path: Path) -> None:
    config = replace(small_config, batch_size=1, flip=False, rotate_rad=0.0, scale_range=0.0)
    world = BlockWorld(config)
    world._samples[3].points[:, 3] = np.float32("inf")
    with pytest.raises(DivergedError, match=r"step \d+: expected finite losses, got .*heatmap = nan.* block-3;"):
        train(config, ".", tmp_path, dataset=world)
    if (tmp_path / "checkpoint.pt").is_file():  # and what is kept is sound
        assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


def test_an_empty_split_is_refused(small_config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train_split: expected at least 1 sample, got none in 'mini_train'"):
        train(small_config, ".", tmp_path, dataset=BlockWorld(small_config, 0))


def test_samples_without_objects_or_points(small_config: Config, tmp_path: Path) -> None:
    world = BlockWorld(small_config, 4, objects=0, ground=0)
    result = train(small_config, ".", tmp_path, dataset=world)
    assert result.steps == 4
    assert result.losses["offset"] == 0.0


def test_progress_is_told_in_lines(
    small_config: Config, world: BlockWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(small_config, ".", tmp_path, dataset=world)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("training: step 6/6, 0 s left, total ")
    assert "heatmap" in last
    assert "log_size" in last


KILLED = """
import os, signal, sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from training_worlds import BlockWorld, make_config
from bev3d.training import train
save = torch.save
def torn(content, path):
    if content["step"] == 4:
        Path(path).write_bytes(b"half a checkpoint")
        os.kill(os.getpid(), signal.SIGKILL)
    save(content, path)
torch.save = torn
config = make_config()
train(config, ".", sys.argv[1], dataset=BlockWorld(config))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_while_it_writes_a_checkpoint(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "parts"), here], capture_output=True, env=os.environ.copy()
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt").step == 2
    train(small_config, ".", tmp_path / "parts", dataset=world)
    train(small_config, ".", tmp_path / "whole", dataset=world)
    assert_equal_weights(tmp_path / "whole", tmp_path / "parts")


def test_the_last_stretch_of_the_log_may_be_short(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    result = train(replace(small_config, log_every_steps=4), ".", tmp_path, dataset=world)
    rows = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 6]
    assert result.losses == rows[-1]["losses"]
