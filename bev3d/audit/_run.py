"""The audit of a split, frame by frame."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bev3d._errors import DataFormatError
from bev3d._progress import track
from bev3d.audit._frame import AuditJob, FrameAudit, PointSource, audit_frame, open_worker
from bev3d.audit._report import AuditReport
from bev3d.config import Config
from bev3d.data import open_dataset
from bev3d.jobs import ExecutorKind, make_executor
from bev3d.targets import FLAWS, AuditRules, BoxAudit, audit_targets, size_outliers, targets_from_config

__all__ = ["audit_dataset"]


def audit_dataset(
    config: Config,
    dataroot: str | os.PathLike[str],
    *,
    split: str | None = None,
    points: PointSource = "auto",
    executor: ExecutorKind = "sequential",
    workers: int = 2,
    rules: AuditRules | None = None,
) -> AuditReport:
    """Follow every box of a split into its target and back.

    Sizes are compared with those of their class over the whole split. A frame that cannot be read is a finding, not
    the end.

    Args:
        config: data, grid and target settings.
        dataroot: folder of the data set.
        split: ``config.train_split`` where None.
        points: where the number of points of a box comes from: ``"recorded"`` by the data set; ``"counted"`` in the
            scans; ``"auto"``, counted where nothing is recorded and a scan is there.
        executor, workers: see :func:`bev3d.jobs.make_executor`.
        rules: when a box counts as odd.

    Raises:
        DataFormatError: no such data set or split, or a split without samples.
    """
    runner = make_executor(executor, workers)
    rules = AuditRules() if rules is None else rules
    split = config.train_split if split is None else split
    job = AuditJob(config, Path(dataroot), split, points, rules)
    tokens = tuple(open_dataset(config, job.dataroot, split).tokens)
    if not tokens:
        raise DataFormatError(f"split: expected at least one sample in {split} of {dataroot}, got none")
    results = runner.run(partial(open_worker, job), audit_frame, range(len(tokens)))
    frames: list[FrameAudit | None] = [None] * len(tokens)
    for frame in track(results, "audit", total=len(tokens), unit="frames"):
        frames[frame.position] = frame
    return _report(job, tokens, [frame for frame in frames if frame is not None])


def _report(job: AuditJob, tokens: tuple[str, ...], frames: Sequence[FrameAudit]) -> AuditReport:
    # one without boxes, for a split of which no frame can be read
    audits = [audit_targets(targets_from_config(job.config), [np.zeros((0, 9))], [np.zeros(0, np.int64)])]
    audits += [frame.audit for frame in frames if frame.audit is not None]
    boxes = _join(audits, job.config.class_names)
    classes = len(boxes.class_names)
    boxes.flaws["size_outlier"] = size_outliers(boxes.boxes, boxes.label, classes, job.rules) & (boxes.label >= 0)
    other: Counter[str] = Counter()
    for frame in frames:
        other.update(frame.other)
    notes = Counter(frame.note for frame in frames if frame.note)
    said = []
    if notes:
        first = next(iter(notes))
        said.append(f"{sum(notes.values())} of {len(frames)} frames: {first}")
    return AuditReport(
        job.config,
        job.split,
        tokens,
        boxes,
        dict(sorted(other.items())),
        {frame.token: frame.error for frame in frames if frame.error},
        tuple(said),
        job.rules,
    )


def _join(audits: Sequence[BoxAudit], class_names: tuple[str, ...]) -> BoxAudit:
    arrays = [field.name for field in fields(BoxAudit) if field.name not in ("flaws", "class_names")]
    joined: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in audits]) for name in arrays}
    flaws = {name: np.concatenate([one.flaws[name] for one in audits]) for name in FLAWS}
    return BoxAudit(**joined, flaws=flaws, class_names=class_names)
