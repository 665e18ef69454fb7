"""A run that is killed at random moments, also while it writes, ends as one that was not: bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bev3d.training import load_checkpoint

HERE = Path(__file__).parent
TIMES = {"seconds", "samples_per_second", "waiting_share"}


def assert_same(one: Any, two: Any, where: str = "") -> None:
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            assert_same(one[key], two[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), where
        for i, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_same(first, second, f"{where}/{i}")
    else:
        assert one == two, where


def rows(file: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in lines]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize(("precision", "seed"), [("float32", 0), ("bfloat16", 1)])
def test_killed_again_and_again(tmp_path: Path, precision: str, seed: int) -> None:
    command = [sys.executable, str(HERE / "killed_worker.py"), str(tmp_path), precision, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
    for name in ("checkpoint.pt", "best.pt"):
        whole, parts = (load_checkpoint(tmp_path / folder / name).state for folder in ("whole", "parts"))
        for state in (whole, parts):
            state["log"] = {key: value for key, value in state["log"].items() if key in ("sums", "count")}
        assert_same(whole, parts, name)
    assert load_checkpoint(tmp_path / "parts" / "best.pt").step == 6
    for name in ("losses.jsonl", "evaluations.jsonl"):
        assert rows(tmp_path / "whole" / name) == rows(tmp_path / "parts" / name)
    assert [row["step"] for row in rows(tmp_path / "parts" / "losses.jsonl")] == [5, 10, 12]
    table = (tmp_path / "parts" / "evaluations.csv").read_text()
    assert table == (tmp_path / "whole" / "evaluations.csv").read_text()
