"""Synthetic data, targets, training, score, pictures, one page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.console import Console

from bev3d._errors import UserError
from bev3d.config import load_config
from bev3d.demo._clock import Clock
from bev3d.demo._describe import account, explain_score
from bev3d.jobs import generate_targets
from bev3d.report import Score, write_report
from bev3d.synth import write_nuscenes
from bev3d.training import train
from bev3d.viz import Page

__all__ = ["run_demo"]

SAMPLES_PER_SCENE = 2  # two key frames give a velocity; more of one street teach less than another street


def run_demo(out: Path, *, train_scenes: int, val_scenes: int, epochs: float | None = None, seed: int = 0) -> Path:
    """Run everything and write ``out/index.html``; started again, it goes on where it stopped.

    Args:
        out: folder; the data take about 3 MB a key frame.
        train_scenes, val_scenes: synthetic scenes of two key frames each.
        epochs: passes over the training set; those of the preset ``synthetic_nuscenes`` where None.
        seed: of the world, the weights and the order.

    Raises:
        UserError: too few scenes, or ``out`` holds a demo of other settings.
    """
    if min(train_scenes, val_scenes) < 1:
        raise UserError(f"scenes: expected at least 1 of each, got {train_scenes} and {val_scenes}")
    config = dataclasses.replace(load_config("synthetic_nuscenes"), seed=seed)
    if epochs is not None:
        config = dataclasses.replace(config, epochs=epochs)
    clock = Clock(steps=6, file=out / "seconds.json")
    data = out / "data"
    with clock.step("synthetic data"):
        write_nuscenes(
            data,
            train_scenes=train_scenes,
            val_scenes=val_scenes,
            samples=SAMPLES_PER_SCENE,
            sweeps=config.sweeps,
            seed=seed,
            version=config.version,
        )
    with clock.step("targets"):
        manifest = generate_targets(config, data, out / "targets", split=config.train_split)
    with clock.step("training"):
        train(config, data, out / "run")

    def explain(page: Page, score: Score) -> None:
        explain_score(page, score.result)
        Console().print(score.result.table())

    page = write_report(
        out / "run",
        data,
        out,
        title="bev3d demo",
        step=clock.step,
        facts=lambda: [("all steps", f"{clock.total:.0f} s"), ("training", f"{clock.seconds['training']:.0f} s")],
        describe=explain,
        close=lambda page: account(page, manifest, clock.seconds, out),
    )
    print(f"{clock.elapsed:.0f} s; open {page}")
    return page
