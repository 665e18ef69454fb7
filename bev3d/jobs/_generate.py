"""Heatmap targets of a whole split as files."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import torch

import bev3d
from bev3d._errors import DataFormatError
from bev3d._files import claim_folder, write_json
from bev3d._progress import track
from bev3d.config import Config, config_hash
from bev3d.config._fields import DataConfig, GridConfig, TargetConfig
from bev3d.data import Dataset, Sample, open_dataset
from bev3d.jobs._counts import count_sample, sum_counts
from bev3d.jobs._executor import ExecutorKind, make_executor
from bev3d.jobs._store import FORMAT, read_header, save_targets
from bev3d.targets import HeatmapTargets, Targets, targets_from_config

__all__ = ["generate_targets"]

# of the data settings, those that change neither boxes nor labels
_WITHOUT_EFFECT = ("train_split", "val_split", "sweeps")


def generate_targets(
    config: Config,
    dataroot: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str | None = None,
    executor: ExecutorKind = "sequential",
    workers: int = 2,
) -> dict[str, Any]:
    """Write ``out/TOKEN.npz`` for every sample of a split, and ``out/manifest.json`` when all are there.

    Boxes with fewer than ``config.min_points_per_box`` recorded points are dropped as ``too_few_points``. A file
    appears whole or not at all; started again with the same settings, the job goes on where it stopped.

    Args:
        config: data, grid and target settings.
        dataroot: folder of the data set.
        out: folder, made if need be; ``out/job.json`` holds the settings that its files share.
        split: ``config.train_split`` where None.
        executor, workers: see :func:`make_executor`.

    Returns:
        The manifest: format, settings, config_hash, versions, tokens, and counts of boxes by class and reason, in
        which every box is assigned or dropped with its reason. The files: :func:`load_targets`.

    Raises:
        ConfigError: ``out`` holds targets of other settings, or is no folder.
        DataFormatError: damaged data; the text names file or sample.
    """
    runner = make_executor(executor, workers)
    split = config.train_split if split is None else split
    folder, root = Path(out), Path(dataroot)
    dataset = open_dataset(config, root, split)
    tokens = _check_tokens(dataset.tokens)
    settings = _settings(config, split)
    claim_folder(folder, {**settings, "dataroot": str(root.resolve())}, what="targets")
    job = _Job(config, root, folder, split)
    done = _finished(job, tokens)
    pending = [index for index, token in enumerate(tokens) if token not in done]
    results = runner.run(partial(_open_worker, job), _write_sample, pending)
    for token, counts in track(results, "targets", total=len(pending), unit="samples"):
        done[token] = counts
    manifest = {
        "format": FORMAT,
        "config_hash": config_hash(config),
        "settings": settings,
        "versions": _versions(),
        "samples": len(tokens),
        "tokens": list(tokens),
        **sum_counts((done[token] for token in tokens), config.class_names),
    }
    write_json(folder / "manifest.json", manifest)
    return manifest


class _Job(NamedTuple):
    config: Config
    dataroot: Path
    out: Path
    split: str


class _Worker(NamedTuple):
    job: _Job
    dataset: Dataset
    targets: HeatmapTargets


def _open_worker(job: _Job) -> _Worker:
    config = job.config
    return _Worker(job, open_dataset(config, job.dataroot, job.split), targets_from_config(config))


def _write_sample(worker: _Worker, index: int) -> tuple[str, dict[str, Any]]:
    sample = worker.dataset.annotations(index)
    try:
        targets = _sample_targets(worker.targets, sample, worker.job.config.min_points_per_box)
    except ValueError as error:
        raise DataFormatError(f"sample {sample.token}: {error}") from error
    counts = count_sample(sample, targets)
    header = {"token": sample.token, "settings": _settings(worker.job.config, worker.job.split), "counts": counts}
    save_targets(worker.job.out / f"{sample.token}.npz", targets, header)
    return sample.token, counts


def _sample_targets(generator: HeatmapTargets, sample: Sample, min_points: int) -> Targets:
    few = (sample.num_points >= 0) & (sample.num_points < min_points) & (sample.labels >= 0)
    targets = generator([sample.boxes], [np.where(few, -1, sample.labels)])
    reasons = {i: "too_few_points" if few[i] else reason for i, reason in targets.dropped[0].items()}
    return Targets(targets.tasks, (reasons,))


def _finished(job: _Job, tokens: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Counts of the samples whose file is there and sound; leftovers of a killed writer go away."""
    wanted = json.loads(json.dumps(_settings(job.config, job.split)))
    done = {}
    for token in tokens:
        file = job.out / f"{token}.npz"
        if file.exists():
            try:
                header = read_header(file)
            except DataFormatError:
                continue  # written again
            if header.get("token") == token and header.get("settings") == wanted:
                done[token] = header["counts"]
    for leftover in job.out.glob(".*.npz"):
        leftover.unlink(missing_ok=True)
    return done


def _settings(config: Config, split: str) -> dict[str, Any]:
    """What the content of the files depends on."""
    parts = (DataConfig, GridConfig, TargetConfig)
    names = [field.name for part in parts for field in dataclasses.fields(part) if field.name not in _WITHOUT_EFFECT]
    return {"bev3d": bev3d.__version__, "split": split, **{name: getattr(config, name) for name in names}}


def _versions() -> dict[str, str]:
    return {
        "bev3d": bev3d.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "torch": torch.__version__,
    }


def _check_tokens(tokens: Sequence[str]) -> Sequence[str]:
    """Tokens become file names."""
    for token in tokens:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", token):
            raise DataFormatError(f"token: expected letters, digits, '_', '-' and '.', got {token!r}")
    return tokens
