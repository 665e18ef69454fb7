"""``bev3d evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bev3d._errors import UserError
from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Score predictions: nuScenes (--dataroot, --predictions) or KITTI (--kitti-labels, --kitti-predictions)."""

    dataroot: Path | None = None
    """nuScenes: folder of the data set."""
    version: str = "v1.0-mini"
    """nuScenes: name of the folder with the tables."""
    split: str = "mini_val"
    """nuScenes: split that the predictions are for."""
    scenes: tuple[str, ...] = ()
    """nuScenes: names of scenes to score instead of a split."""
    predictions: Path | None = None
    """nuScenes: submission JSON."""
    range_bands_m: tuple[tuple[float, float], ...] = ()
    """nuScenes: bands of the distance from the vehicle that are scored by themselves: 0 15 15 30 30 50."""
    kitti_labels: Path | None = None
    """KITTI: folder of label files (label_2)."""
    kitti_predictions: Path | None = None
    """KITTI: folder of result files."""
    classes: tuple[str, ...] = ()
    """KITTI: classes to score; Car, Pedestrian and Cyclist where none is named."""
    height_test: Literal["official", "inclusive"] = "official"
    """KITTI: whether an object of exactly the minimum height is too small, as in the official tool, or counts."""
    difficulty: Literal["easy", "moderate", "hard"] = "moderate"
    """KITTI: difficulty at which errors are analysed."""
    samples: tuple[str, ...] = ()
    """Sample tokens or frame ids: only these are scored."""
    sample_list: Path | None = None
    """File with a sample token or frame id in each line: only these are scored."""
    compare: Path | None = None
    """Other predictions for the same samples; intervals of the difference by a paired bootstrap."""
    resamples: int = 1000
    """Draws of the bootstrap."""
    level: float = 0.95
    """Confidence level of the intervals."""
    resample: Literal["auto", "scenes", "samples"] = "auto"
    """nuScenes: what is drawn; auto: scenes where there are ten or more, else samples."""
    seed: int = 0
    """Of the draws."""
    errors: bool = False
    """Print the table of kinds of errors too."""
    out: Path | None = None
    """Folder for metrics.json, curves.json, analysis.json, comparison.json and the page."""
    page: bool = True
    """Write index.html and its pictures into --out."""
    worst: int = 6
    """Worst samples on the page."""


NUSCENES_ONLY = ("dataroot", "predictions", "version", "split", "scenes", "range_bands_m", "resample")
KITTI_ONLY = ("kitti_labels", "kitti_predictions", "classes", "height_test", "difficulty")
COMPARE_ONLY = ("resamples", "level", "resample", "seed")
PAGE_ONLY = ("worst",)
DEFAULT_BANDS_M = ((0.0, 15.0), (15.0, 30.0), (30.0, 50.0))


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "evaluate", argv)
    nuscenes = options.dataroot is not None and options.predictions is not None
    kitti = options.kitti_labels is not None and options.kitti_predictions is not None
    if nuscenes == kitti:
        raise UserError(
            "expected either --dataroot and --predictions (nuScenes) or --kitti-labels and --kitti-predictions"
        )
    _check(options, KITTI_ONLY if nuscenes else NUSCENES_ONLY, "nuScenes" if nuscenes else "KITTI")
    if nuscenes:
        _nuscenes(options)
    else:
        _kitti(options)


def _check(options: Options, foreign: Sequence[str], data_set: str) -> None:
    _refuse(options, foreign, f"for {data_set}")
    _check_numbers(options)
    if options.compare is None:
        _refuse(options, COMPARE_ONLY, "without --compare")
    if options.out is None:
        _refuse(options, PAGE_ONLY, "without --out")
    if options.scenes and options.split != Options.split:
        raise UserError(f"--scenes: expected either it or --split, got both ({options.split})")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out: expected a folder, got the file {options.out}")


def _refuse(options: Options, names: Sequence[str], where: str) -> None:
    for name in names:
        if getattr(options, name) != Options.__dataclass_fields__[name].default:
            raise UserError(f"--{name.replace('_', '-')}: has no meaning {where}")


def _check_numbers(options: Options) -> None:
    for low, high in options.range_bands_m:
        if not 0 <= low < high:
            raise UserError(f"--range-bands-m: expected pairs of distances with 0 <= first < second, got {low} {high}")
    if options.resamples < 1:
        raise UserError(f"--resamples: expected at least 1, got {options.resamples}")
    if not 0 < options.level < 1:
        raise UserError(f"--level: expected a number between 0 and 1, got {options.level}")
    if options.seed < 0:
        raise UserError(f"--seed: expected a number >= 0, got {options.seed}")
    if options.worst < 0:
        raise UserError(f"--worst: expected a number >= 0, got {options.worst}")


def _samples(options: Options) -> tuple[str, ...] | None:
    """The samples asked for, by flag or list; None where none are."""
    if options.sample_list is None:
        return options.samples or None
    if options.samples:
        raise UserError("--sample-list: expected either it or --samples, got both")
    try:
        listed = tuple(options.sample_list.read_text(encoding="utf-8").split())
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise UserError(f"--sample-list: expected a text file, got {options.sample_list} ({error})") from None
    if not listed:
        raise UserError(f"--sample-list: expected a token in each line, got the empty file {options.sample_list}")
    return listed


def _nuscenes(options: Options) -> None:
    from bev3d.evaluation import NuScenesEvaluator

    assert options.dataroot is not None
    assert options.predictions is not None
    split: Any = list(options.scenes) if options.scenes else options.split
    shown = options.out is not None
    bands = options.range_bands_m or (DEFAULT_BANDS_M if shown else ())
    evaluator = NuScenesEvaluator(
        options.dataroot, options.version, split, samples=_samples(options), range_bands_m=bands
    )
    found = evaluator.read(options.predictions)
    comparison = None
    if options.compare is not None:
        how: dict[str, Any] = {"resamples": options.resamples, "level": options.level, "seed": options.seed}
        comparison = evaluator.compare(options.compare, found, unit=options.resample, **how)
    result = evaluator.evaluate(found)
    analysis = evaluator.analyse(found, worst=options.worst) if shown or options.errors else None
    _print(options, result, analysis, comparison)
    if options.out is not None and analysis is not None:
        _write(options.out, result, analysis, comparison)
        if options.page:
            from bev3d.evalpage import write_nuscenes_page

            other = options.compare.name if options.compare is not None else ""
            page = write_nuscenes_page(
                options.out, evaluator, found, result, analysis, comparison=comparison, other=other
            )
            print(page)


def _kitti(options: Options) -> None:
    from bev3d.data.kitti import KITTI_CLASSES
    from bev3d.evaluation import kitti

    assert options.kitti_labels is not None
    assert options.kitti_predictions is not None
    for name in options.classes:
        if name not in kitti.MIN_OVERLAP:
            known = ", ".join(kitti.MIN_OVERLAP)
            detail = " (KITTI names no overlap for it)" if name in KITTI_CLASSES else ""
            raise UserError(f"--classes: expected classes out of {known}, got {name!r}{detail}")
    overlaps = {name: kitti.MIN_OVERLAP[name] for name in options.classes or kitti.MIN_OVERLAP}
    exact = options.height_test == "inclusive"
    frames = kitti.read_frames(options.kitti_labels, options.kitti_predictions, _samples(options))
    comparison = None
    if options.compare is not None:
        others = kitti.read_frames(options.kitti_labels, options.compare, frames.ids)
        how: dict[str, Any] = {"resamples": options.resamples, "level": options.level, "seed": options.seed}
        comparison = kitti.compare_kitti_frames(others, frames, overlaps, exact, **how)
    result = kitti.score_frames(frames, overlaps, exact_height_counts=exact)
    case = kitti.kitti_case(frames, overlaps, exact, difficulty=options.difficulty)
    shown = options.out is not None or options.errors
    analysis = kitti.analyse_kitti_frames(case, worst=options.worst) if shown else None
    _print(options, result, analysis, comparison)
    if options.out is not None and analysis is not None:
        _write(options.out, result, analysis, comparison)
        if options.page:
            from bev3d.evalpage import write_kitti_page

            other = options.compare.name if options.compare is not None else ""
            page = write_kitti_page(
                options.out, options.kitti_labels, case, result, analysis, comparison=comparison, other=other
            )
            print(page)


def _print(options: Options, result: Any, analysis: Any, comparison: Any) -> None:
    from rich.console import Console

    console = Console()
    console.print(result.table())
    if options.errors:
        console.print(analysis.errors.table())
    if comparison is not None:
        console.print(comparison.table())
        console.print(f"first: {options.compare}; second: these predictions", highlight=False, soft_wrap=True)


def _write(out: Path, result: Any, analysis: Any, comparison: Any) -> None:
    result.to_json(out / "metrics.json")
    result.curves_to_json(out / "curves.json")
    analysis.to_json(out / "analysis.json")
    if comparison is not None:
        comparison.to_json(out / "comparison.json")
    print(out / "metrics.json")
