"""Two processes over gloo train as one with twice the batch, and end together whatever happens to one of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rank_worker import mostly_empty, shared_config, voxel_config
from training_worlds import BlockWorld, with_anchors

from bev3d._errors import ConfigError, UserError
from bev3d.training import load_checkpoint, load_detector, train
from bev3d.training._ranks import joined_ranks

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the scenarios of ``rank_worker``, run by two processes."""
    out = tmp_path_factory.mktemp("ranks")
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "rank_worker.py"), str(out)]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=240) for process in started]
    (out / "stderr.0").write_text(said[0][1])
    (out / "stderr.1").write_text(said[1][1])
    assert started[1].returncode == 7, said[1][1]  # the scenario in which it dies
    return out


def note(runs: Path, name: str, rank: int) -> dict[str, Any]:
    return json.loads((runs / f"{name}.{rank}.json").read_text())


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "world", "one_process"),
    [
        ("together", BlockWorld, {"batch_size": 4}),
        ("empty", mostly_empty, {"batch_size": 4}),
        ("voxels", mostly_empty, {**vars(voxel_config()), "batch_size": 4}),
        ("anchors", mostly_empty, {**vars(with_anchors(shared_config())), "batch_size": 4}),
        ("parts", BlockWorld, {"batch_size": 2, "accumulate": 2}),
    ],
)
def test_two_processes_equal_one_with_twice_the_batch(
    runs: Path, tmp_path: Path, name: str, world: Any, one_process: dict[str, int]
) -> None:
    config = replace(shared_config(), **one_process)
    train(config, ".", tmp_path, dataset=world(config))
    one, two = rows(tmp_path), rows(runs / name)
    assert [row["step"] for row in one] == [row["step"] for row in two]
    assert [row["samples"] for row in one] == [row["samples"] for row in two]
    for single, double in zip(one, two, strict=True):
        for term, value in single["losses"].items():
            assert double["losses"][term] == pytest.approx(value, rel=1e-5, abs=1e-5), (single["step"], term)
    states = [load_checkpoint(folder / "checkpoint.pt").state for folder in (tmp_path, runs / name)]
    for part in (lambda state: state["model"], lambda state: state["ema"]["weights"]):
        first, second = map(part, states)
        assert first.keys() == second.keys()
        for key in first:
            torch.testing.assert_close(second[key], first[key], rtol=1e-5, atol=1e-5, msg=lambda m, k=key: f"{k}: {m}")


def test_statistics_of_each_process_are_another_run_that_still_learns(runs: Path) -> None:
    together, apart = rows(runs / "together"), rows(runs / "apart")
    assert apart[0]["losses"]["total"] != pytest.approx(together[0]["losses"]["total"], rel=1e-5)
    assert apart[-1]["losses"]["total"] < apart[0]["losses"]["total"]


def test_both_ranks_tell_the_same_and_one_writes(runs: Path) -> None:
    for name in ("together", "apart", "empty"):
        notes = [note(runs, name, rank) for rank in range(2)]
        assert notes[0]["losses"] == notes[1]["losses"]
        assert [one["main"] for one in notes] == [True, False]
    assert "training: step" in (runs / "stderr.0").read_text()
    assert (runs / "stderr.1").read_text() == ""


def test_the_checkpoint_predicts_in_one_process(runs: Path) -> None:
    detector, config = load_detector(runs / "together" / "checkpoint.pt")
    assert config.batch_size == 2
    assert not detector.training


def test_no_number_on_one_rank_is_named_on_both(runs: Path) -> None:
    texts = [note(runs, "no_number", rank) for rank in range(2)]
    assert [one["error"] for one in texts] == ["DivergedError"] * 2
    assert texts[0]["text"] == texts[1]["text"]
    assert "block-3" in texts[0]["text"]


def test_an_error_of_one_rank_ends_both(runs: Path) -> None:
    other, failed = (note(runs, "fails", rank) for rank in range(2))
    assert failed["error"] == "SampleError"
    assert "sample block-3" in failed["text"]
    assert "torn file" in failed["text"]
    assert "another rank could not prepare its samples" in other["text"]


def test_a_signal_to_one_rank_stops_both_with_a_checkpoint(runs: Path) -> None:
    texts = [note(runs, "signalled", rank) for rank in range(2)]
    assert [one["error"] for one in texts] == ["TrainingInterrupted"] * 2
    step = load_checkpoint(runs / "signalled" / "checkpoint.pt").step
    assert all(f"stopped after step {step} of 5" in one["text"] for one in texts)


def test_a_rank_that_dies_ends_the_other(runs: Path) -> None:
    left = note(runs, "dies", 0)
    assert left["error"] == "UserError"
    assert "rank 0 of 2: another process of the run failed or stopped answering" in left["text"]
    assert not (runs / "dies.1.json").exists()


def test_other_processes_than_before_are_refused(runs: Path, tmp_path: Path) -> None:
    config = shared_config()
    with pytest.raises(UserError, match="expected 2 processes as before, got 1"):
        train(config, ".", runs / "together", dataset=BlockWorld(config))


def test_variables_of_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="WORLD_SIZE=2: expected the variables that torchrun sets, but RANK"):
        joined_ranks("cpu", 1.0).__enter__()
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(ConfigError, match="WORLD_SIZE: expected a whole number in the environment, got 'many'"):
        joined_ranks("cpu", 1.0).__enter__()


def test_torchrun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(HERE / "launched_worker.py"), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["rank 0: step 2 of 2, main True", "rank 1: step 2 of 2, main False"]
    assert load_checkpoint(tmp_path / "checkpoint.pt").state["sampler"]["position"] == 8
