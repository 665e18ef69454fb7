"""Kills a run with SIGKILL at random moments, again and again, until one gets to the end.

Arguments: folder, precision, seed. Runs are forks of this process, which has imported everything and computed nothing.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from training_worlds import BlockWorld, make_config

from bev3d.config import Config
from bev3d.models import Detector
from bev3d.training import train


def killed_config(precision: str) -> Config:
    """Everything that a run can carry: parts, average, evaluations, unfinished stretches of the log."""
    return replace(
        make_config(),
        precision=precision,
        epochs=4.0,
        batch_size=1,
        accumulate=2,
        ema_decay=0.9,
        evaluate_every_steps=3,
        checkpoint_every_steps=1,
        log_every_steps=5,
    )


def score(detector: Detector, step: int) -> Mapping[str, float]:
    """Metrics that depend on every weight, and are not best at the end."""
    total = sum(float(value.double().abs().sum()) for value in detector.state_dict().values())
    return {"mean_ap": -abs(step - 6) + 1e-9 * total, "weights": total}


def run(out: Path, precision: str) -> int:
    """Process number of a fork that trains."""
    number = os.fork()
    if number:
        return number
    try:
        torch.set_num_threads(1)
        config = killed_config(precision)
        train(config, ".", out, dataset=BlockWorld(config), evaluate=score)
        os._exit(0)
    finally:
        os._exit(1)


def main(out: Path, precision: str, seed: int) -> None:
    """Train ``out/whole`` in one go and ``out/parts`` in many, and print how many."""
    _, status = os.waitpid(run(out / "whole", precision), 0)
    assert status == 0
    draws, kills = random.Random(seed), 0
    checkpoint = out / "parts" / "checkpoint.pt"
    while True:
        before, number = written(checkpoint), run(out / "parts", precision)
        waits = draws.random() < 0.8  # for a step of this process; else it may die before its first
        until = time.monotonic() + draws.uniform(0.0, 0.1 if waits else 0.4)
        while time.monotonic() < until or (waits and written(checkpoint) == before):
            if written(checkpoint) == before and waits:
                until = time.monotonic() + draws.uniform(0.0, 0.1)
            done, status = os.waitpid(number, os.WNOHANG)
            if done:
                assert status == 0
                print(kills)
                return
            time.sleep(0.001)
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        kills += 1
        assert kills < 200


def written(path: Path) -> int:
    """What changes whenever the file is replaced."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
