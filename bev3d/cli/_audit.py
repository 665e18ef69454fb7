"""``bev3d audit``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from bev3d._errors import UserError
from bev3d.cli._parse import parse_with_config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Count what a data set loses on its way into targets; exits with 1 where more is found than a limit allows.

    Writes audit.json, and index.html with histograms and the worst frames. Limits are shares of the boxes of known
    classes (--max-collided 0.01); without a value nothing is checked but non-finite boxes and unreadable frames.
    """

    config: Path
    """Preset: a YAML file or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    out: Path
    """Folder to write."""
    split: str | None = None
    """Split; the preset's training split where none is given."""
    points: Literal["auto", "recorded", "counted"] = "auto"
    """Where the points of a box are counted; auto: in the scans where the data set records no number."""
    frames: int = 4
    """Pictures of frames on the page; 0 for none."""
    page: bool = True
    """Write the page."""
    by_class: bool = False
    """Hold every class to the limits by itself too, not only all boxes together."""
    max_out_of_range: float | None = None
    """Limit: boxes whose centre lies outside the range."""
    max_over_max_objects: float | None = None
    """Limit: boxes for which a task had no slot left."""
    max_collided: float | None = None
    """Limit: boxes that share their cell with an earlier one of their task."""
    max_without_points: float | None = None
    """Limit: boxes without LiDAR points."""
    max_min_radius: float | None = None
    """Limit: boxes whose Gaussian has the least radius."""
    max_non_finite: float | None = 0.0
    """Limit: boxes with a NaN, an infinity, or a size that is not positive."""
    max_size_outlier: float | None = None
    """Limit: boxes with a size far from the median of their class."""
    max_duplicate: float | None = None
    """Limit: boxes that overlap an earlier one of their class almost wholly."""
    max_yaw_against_velocity: float | None = None
    """Limit: boxes that move across or against their heading."""
    max_decode_error: float | None = None
    """Limit: largest difference between a box and its decoded target (m, rad, m/s), no share."""
    max_unreadable: int | None = 0
    """Limit: frames that cannot be read, their number."""
    executor: Literal["sequential", "process", "ray"] = "sequential"
    """What does the work."""
    workers: int = 2
    """Processes."""


def run(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    options, config = parse_with_config(Options, "audit", argv)
    for flag, least in (("workers", 1), ("frames", 0)):
        if getattr(options, flag) < least:
            raise UserError(f"--{flag}: expected at least {least}, got {getattr(options, flag)}")
    from rich.console import Console

    from bev3d.audit import Limits, audit_dataset, write_audit_page

    limits = Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})
    report = audit_dataset(
        config,
        options.dataroot,
        split=options.split,
        points=options.points,
        executor=options.executor,
        workers=options.workers,
    )
    content = report.to_json(options.out / "audit.json", limits, by_class=options.by_class)
    Console(width=None if sys.stdout.isatty() else 200).print(report.table())
    for token, why in list(report.unreadable.items())[:5]:
        print(f"unreadable: frame {token}: {why}")
    for note in report.notes:
        print(f"note: {note}")
    print(options.out / "audit.json")
    if options.page:
        page = write_audit_page(
            report, options.dataroot, options.out, limits=limits, by_class=options.by_class, frames=options.frames
        )
        print(page)
    for sentence in content["exceeded"]:
        print(f"limit broken: {sentence}", file=sys.stderr)
    return 1 if content["exceeded"] else 0
