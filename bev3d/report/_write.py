"""From a run's folder to its page."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch

import bev3d
from bev3d._errors import UserError
from bev3d.config import Config
from bev3d.data import Dataset, Sample, open_dataset
from bev3d.report._pictures import Picture, SamplePictures, curve_pictures, sample_pictures
from bev3d.report._score import Score, score_predictions
from bev3d.report._targets import about_targets
from bev3d.training import load_detector, predict
from bev3d.viz import Page

__all__ = ["write_report"]

SHOWN_SCORE = 0.3
StepTimer = Callable[[str], AbstractContextManager[None]]


def write_report(
    run: Path,
    dataroot: Path,
    out: Path,
    *,
    samples: int = 3,
    title: str | None = None,
    step: StepTimer = lambda name: nullcontext(),
    facts: Callable[[], Sequence[tuple[str, str]]] = tuple,
    describe: Callable[[Page, Score], None] = lambda page, score: None,
    close: Callable[[Page], None] = lambda page: None,
) -> Path:
    """Predict the validation split of a run, score it, draw it, and write ``out/index.html``.

    Args:
        run: folder with ``checkpoint.pt`` and ``losses.jsonl``.
        dataroot: folder of the data set that the run was trained on.
        out: folder for the page, its pictures, the submission and ``metrics.json``.
        samples: validation samples to show, spread over the split.
        title: of the page.
        step: wraps each step, by name; the demo times them.
        facts: (what, value) to stand first on the page.
        describe: adds to the page after the score.
        close: adds sections at its end.

    Raises:
        UserError: no run there, or an impossible number of samples.
    """
    if samples < 1:
        raise UserError(f"samples: expected at least 1, got {samples}")
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.is_file():
        raise UserError(f"run: expected a folder with checkpoint.pt, as training writes it, got {run}")
    detector, config = load_detector(checkpoint)
    dataset = open_dataset(config, dataroot, config.val_split)
    with step("prediction"):
        detections = predict(checkpoint, dataroot, dataset=dataset)
    with step("official score"):
        score = score_predictions(detections, config=config, dataset=dataset, dataroot=dataroot, out=out)
    with step("pictures"):
        chosen = _spread(dataset, samples)
        pictures = sample_pictures(chosen, detections, detector, config, out, score_threshold=SHOWN_SCORE)
        curves = curve_pictures(run / "losses.jsonl", score.ap, out)
    page = _page(title or f"bev3d: {config.dataset} run", config, dataset, score, [*facts(), *score.facts])
    describe(page, score)
    _show(page, config, pictures, curves)
    close(page)
    return page.write(out / "index.html")


def _spread(dataset: Dataset, count: int) -> list[Sample]:
    """Samples evenly spread over the split, the ones with more visible objects preferred to their neighbours."""
    chosen = []
    for part in np.array_split(np.arange(len(dataset)), min(count, len(dataset))):
        visible = [_visible(dataset.annotations(int(i))) for i in part]
        chosen.append(dataset[int(part[int(np.argmax(visible))])])
    return chosen


def _visible(sample: Sample) -> float:
    """Share of the objects of a known class that hold points, times their number's root."""
    known = sample.labels >= 0
    if not known.any():
        return 0.0
    return float((sample.num_points[known] != 0).mean() * known.sum() ** 0.5)


def _page(title: str, config: Config, dataset: Dataset, score: Score, facts: Sequence[tuple[str, str]]) -> Page:
    scored = f"scored on {len(dataset)} samples of {config.val_split}"
    scored += ", the samples it was trained on" if config.val_split == config.train_split else ""
    page = Page(title, f"A detector of {len(config.class_names)} classes, {scored}.")
    page.facts(facts)
    return page.section("Score", f"{score.metric}.").table(score.headers, score.rows)


def _show(page: Page, config: Config, pictures: SamplePictures, curves: Sequence[Picture]) -> None:
    about = "Labels solid, detections dashed"
    if config.head != "anchor":
        about += "; beside them the predicted heatmap and close-ups with cells and offsets"
    page.section("Detections", f"{about}.")
    page.link("scene.html", "Open these samples in 3D", "turn, zoom, switch layers; one file, works offline")
    for file, caption in [*pictures.space, *pictures.detections]:
        page.figure(file, caption)
    page.section("Targets", about_targets(config))
    for file, caption in pictures.targets:
        page.figure(file, caption)
    rate = f"batch {config.batch_size}, peak learning rate {config.learning_rate:g}"
    page.section("Training", f"{config.epochs:g} passes over {config.train_split}, {rate}.")
    for file, caption in curves:
        page.figure(file, caption, wide=False)
    versions = f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    threads = f"{torch.get_num_threads()} threads"
    page.section("Made with", f"bev3d {bev3d.__version__}, {versions}, {platform.machine()}, {threads}.")
