"""Every variant with every seed: trained, scored, kept."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bev3d._errors import UserError
from bev3d._files import claim_folder, write_json, write_text
from bev3d._machine import machine
from bev3d._progress import track
from bev3d.ablation._figure import ablation_figure
from bev3d.ablation._score import numbers
from bev3d.ablation._summary import Summary, summarise
from bev3d.ablation._table import page
from bev3d.ablation._variants import Variant
from bev3d.config import config_hash
from bev3d.data import open_dataset
from bev3d.jobs import make_executor
from bev3d.report import score_predictions
from bev3d.training import predict, train
from bev3d.viz import save_figure

__all__ = ["Variant", "ablate"]


@dataclass(frozen=True)
class _Job:
    variant: Variant
    seed: int
    dataroot: Path
    folder: Path
    threads: int

    @property
    def record(self) -> Path:
        return self.folder / "score.json"


def ablate(
    variants: Sequence[Variant],
    dataroot: Path,
    out: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    workers: int = 1,
    title: str = "Ablation",
) -> list[Summary]:
    """Train and score every variant with every seed; stopped, it goes on where it was.

    A seed gives all variants the same order of samples and the same augmentation, and the same first weights where
    their networks are the same, so that differences are taken seed by seed.

    Args:
        variants: of :func:`read_variants`; the first is the one that the others stand against.
        dataroot: folder of the data set.
        out: folder for ``ablation.md``, ``ablation.json``, ``ablation.png`` and a folder for each run.
        seeds: of weights, order and augmentation.
        workers: runs at a time, each with its share of the processor's threads.
        title: of the page.

    Raises:
        UserError: no variants or seeds, one given twice, ``out`` with runs of other settings, or a run that failed.
    """
    _check(variants, seeds, workers)
    settings = {"variants": {one.name: config_hash(one.config) for one in variants}, "dataroot": str(dataroot)}
    claim_folder(out, settings, what="runs")
    threads = max(1, torch.get_num_threads() // workers)
    jobs = [_Job(v, seed, dataroot, out / v.name / f"seed_{seed}", threads) for seed in seeds for v in variants]
    left = [job for job in jobs if not job.record.is_file()]
    executor = make_executor("sequential" if workers == 1 else "process", workers)
    for _ in track(executor.run(_nothing, _work, left), "ablation", total=len(left), unit="runs"):
        pass
    records = {(job.variant.name, job.seed): json.loads(job.record.read_text(encoding="utf-8")) for job in jobs}
    summaries = [summarise(v.name, v.changes, [records[v.name, seed] for seed in seeds]) for v in variants]
    kept = {
        "machine": machine(),
        "seeds": list(seeds),
        "workers": workers,
        "threads": threads,
        "base": dataclasses.asdict(variants[0].config),
        "variants": [dataclasses.asdict(summary) for summary in summaries],
    }
    write_json(out / "ablation.json", kept)
    dataset = variants[0].config.dataset
    save_figure(ablation_figure(summaries, dataset), out / "ablation.png")
    write_text(out / "ablation.md", page(title, summaries, kept, dataset))
    return summaries


def _check(variants: Sequence[Variant], seeds: Sequence[int], workers: int) -> None:
    if not variants:
        raise UserError("variants: expected at least one, got none")
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise UserError(f"seeds: expected different numbers >= 0, got {list(seeds)}")
    if workers < 1:
        raise UserError(f"workers: expected at least 1, got {workers}")
    kinds = {one.config.dataset for one in variants}
    if len(kinds) > 1:
        raise UserError(f"variants: expected one data set for all, got {', '.join(sorted(kinds))}")


def _nothing() -> None:
    """Workers need no state."""


def _work(state: None, job: _Job) -> None:
    torch.set_num_threads(job.threads)
    config = dataclasses.replace(job.variant.config, seed=job.seed)
    start = time.perf_counter()
    trained = train(config, job.dataroot, job.folder / "run")
    seconds = time.perf_counter() - start
    dataset = open_dataset(config, job.dataroot, config.val_split)
    found = predict(trained.checkpoint, job.dataroot, config=config, dataset=dataset)
    score = score_predictions(found, config=config, dataset=dataset, dataroot=job.dataroot, out=job.folder)
    record = {
        "seed": job.seed,
        "steps": trained.steps,
        "seconds": round(seconds, 1),
        "score": numbers(config.dataset, score.result),
        "losses": trained.losses,
    }
    write_json(job.record, record)
