"""Rows, tables, events, and the time that goes by in waiting for data."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from training_worlds import BlockWorld

from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training import train
from bev3d.training._log import LossLog, training_progress
from bev3d.training._rows import opened_events, read_rows, write_rows


class Slow(BlockWorld):
    """A disk that takes its time."""

    def __getitem__(self, index: int) -> Sample:
        time.sleep(0.1)
        return super().__getitem__(index)


def test_table_holds_what_the_rows_hold(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    train(small_config, ".", tmp_path, dataset=world)
    rows = read_rows(tmp_path / "losses.jsonl", 10)
    with (tmp_path / "losses.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(rows) == len(table) == 6
    for row, line in zip(rows, table, strict=True):
        flat = {**{key: value for key, value in row.items() if key != "losses"}, **row["losses"]}
        assert {key: float(value) for key, value in line.items()} == flat
        assert row["samples"] == 2 * row["step"]
        assert row["gradient_norm"] > 0


def test_waiting_for_data_is_told(small_config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(small_config, ".", tmp_path / "warm", dataset=BlockWorld(small_config))
    slow = train(small_config, ".", tmp_path / "slow", dataset=Slow(small_config))
    assert slow.waiting_share > 0.2
    rows = read_rows(tmp_path / "slow" / "losses.jsonl", 10)
    steps = [2 / row["samples_per_second"] for row in rows]  # seconds of each
    assert sum(steps) == pytest.approx(rows[-1]["seconds"], rel=0.01)
    assert sum(steps) > 1.0  # twelve samples, of which two batches may be ready before the clock starts
    waited = sum(step * row["waiting_share"] for step, row in zip(steps, rows, strict=True))
    assert waited / sum(steps) == pytest.approx(slow.waiting_share, rel=0.02)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"{slow.waiting_share:.1%} of the time waiting for data" in last
    assert "samples/s" in last


def test_stretches_and_their_speed(tmp_path: Path) -> None:
    def add(log: LossLog, step: int) -> Mapping[str, object] | None:
        return log.add(step, {"total": float(step)}, samples=4, seconds=2.0, waiting=0.5, learning_rate=0.1)

    log = LossLog(tmp_path / "log.jsonl", every=3, last_step=8)
    written = [add(log, step) for step in range(1, 6)]
    assert written[:2] == [None, None]
    assert written[2] == {
        "step": 3,
        "samples": 12,
        "learning_rate": 0.1,
        "seconds": 6.0,
        "samples_per_second": 2.0,
        "waiting_share": 0.25,
        "losses": {"total": 2.0},
    }
    log.write()
    # a checkpoint at step 5 keeps the two steps that no row holds yet
    again = LossLog(tmp_path / "log.jsonl", every=3, last_step=8, resume_step=5, state=log.state_dict())
    assert again.rows == [written[2]]
    for step in (6, 7, 8):
        add(again, step)
    assert [row["step"] for row in again.rows] == [3, 6, 8]
    assert [row["losses"]["total"] for row in again.rows] == [2.0, 5.0, 7.5]
    assert [row["seconds"] for row in again.rows] == [6.0, 12.0, 16.0]


def test_steps_that_were_skipped_count_in_no_mean(tmp_path: Path) -> None:
    log = LossLog(tmp_path / "log.jsonl", every=2)
    assert log.add(1, None) is None
    assert log.add(2, None) is None
    assert log.add(3, {"total": 4.0}, gradient_norm=float("inf")) is None
    row = log.add(4, None)
    assert row is not None
    assert row["losses"] == {"total": 4.0}
    json.dumps(row, allow_nan=False)


def test_rows_of_different_keys(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"step": 1, "a": 1.0}, {"step": 2, "b": 2.0}])
    assert (tmp_path / "rows.csv").read_text() == "step,a,b\n1,1.0,\n2,,2.0\n"
    write_rows(tmp_path / "rows.jsonl", [])
    assert (tmp_path / "rows.csv").read_text() == ""


def test_without_tensorboard_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with opened_events(tmp_path / "events", wanted=True) as events:
        events.add("training", 1, {"total": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "training: tensorboard is not installed (pip install 'bev3d[tensorboard]'); its events are left out"
    ]
    assert not (tmp_path / "events").exists()
    with opened_events(tmp_path / "events", wanted=False) as events:
        events.add("training", 1, {"total": 1.0})
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard's own imports
def test_tensorboard_holds_every_row(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = replace(small_config, tensorboard=True, evaluate_every_steps=3)
    evaluate = lambda detector, step: {"mean_ap": step / 10}  # noqa: E731
    while train(config, ".", tmp_path, dataset=world, evaluate=evaluate, max_seconds=0.0).steps < 6:
        pass
    read = accumulator.EventAccumulator(str(tmp_path / "events"))
    read.Reload()
    rows = read_rows(tmp_path / "losses.jsonl", 10)
    found = read.Scalars("training/total")
    assert [event.step for event in found] == [row["step"] for row in rows]
    assert [event.value for event in found] == pytest.approx([row["losses"]["total"] for row in rows], rel=1e-6)
    assert [(event.step, round(event.value, 6)) for event in read.Scalars("evaluation/mean_ap")] == [(3, 0.3), (6, 0.6)]


def test_quiet_progress_counts_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(4, quiet=True) as progress:
        progress.update(4, {"total": 1.0}, samples=8, seconds=2.0, waiting=1.0)
        progress.note("evaluated")
    assert capsys.readouterr().err == ""
    assert progress.speed() == "4 samples/s, 50.0% of the time waiting for data"
