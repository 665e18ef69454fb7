"""The audit of one sample, in the process that reads it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.config import Config
from bev3d.data import Dataset, Sample, open_dataset
from bev3d.points import count_points_in_boxes
from bev3d.targets import AuditRules, BoxAudit, HeatmapTargets, audit_targets, targets_from_config

__all__ = ["AuditJob", "FrameAudit", "PointSource", "Worker", "audit_frame", "open_worker"]

PointSource = Literal["auto", "recorded", "counted"]


class AuditJob(NamedTuple):
    """What every worker needs; picklable."""

    config: Config
    dataroot: Path
    split: str
    points: PointSource
    rules: AuditRules


class Worker(NamedTuple):
    """State of a process."""

    job: AuditJob
    dataset: Dataset
    targets: HeatmapTargets


@dataclass(frozen=True, eq=False)
class FrameAudit:
    """One sample.

    Attributes:
        position: place in the split.
        token: of the sample.
        audit: of its boxes; None where the sample cannot be read.
        other: raw name -> boxes outside the classes.
        error: why the sample cannot be read.
        note: what could not be counted.
    """

    position: int
    token: str
    audit: BoxAudit | None = None
    other: Counter[str] = field(default_factory=Counter)
    error: str = ""
    note: str = ""


def open_worker(job: AuditJob) -> Worker:
    """Open the data set once in each process; the scan of the key frame alone, since boxes are those of its moment."""
    config = replace(job.config, sweeps=1)
    return Worker(job, open_dataset(config, job.dataroot, job.split), targets_from_config(config))


def audit_frame(worker: Worker, position: int) -> FrameAudit:
    """Audit a sample; damaged data become an error of the frame."""
    token = worker.dataset.tokens[position]
    try:
        sample = worker.dataset.annotations(position)
    except (DataFormatError, OSError) as error:
        return FrameAudit(position, token, error=_first_line(error))
    points, note = _num_points(worker, position, sample)
    audit = audit_targets(
        worker.targets,
        [sample.boxes],
        [sample.labels],
        num_points=[points],
        min_points=worker.job.config.min_points_per_box,
        rules=worker.job.rules,
    )
    audit = replace(audit, sample=np.full(len(points), position))
    other = Counter(name for name, label in zip(sample.names, sample.labels, strict=True) if label < 0)
    return FrameAudit(position, token, audit, other, note=note)


def _num_points(worker: Worker, position: int, sample: Sample) -> tuple[NDArray[np.int64], str]:
    source = worker.job.points
    if source == "recorded" or (source == "auto" and (sample.num_points >= 0).all()):
        return sample.num_points, ""
    try:
        scan = worker.dataset[position]
    except (DataFormatError, OSError) as error:
        if source == "counted":
            return sample.num_points, _first_line(error)
        return sample.num_points, f"points not counted: {_first_line(error)}"
    return count_points_in_boxes(scan.points, scan.boxes.astype(np.float64)), ""


def _first_line(error: BaseException) -> str:
    return str(error).split(os.linesep)[0][:500]
