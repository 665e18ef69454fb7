"""The page of a KITTI evaluation."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data import Detections, Sample
from bev3d.data.kitti import DIFFICULTIES, read_calib, read_velodyne
from bev3d.evalpage._book import Book
from bev3d.evalpage._sections import show_calibration, show_comparison, show_confusion, show_errors, show_versions
from bev3d.evalpage._worst import Shown, show_worst
from bev3d.evaluation import Analysis, Comparison, KittiResult, WorstSample
from bev3d.evaluation.kitti import KittiCase, upright_boxes
from bev3d.viz import Page, panel_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_kitti_page"]

TITLES = {"image": "picture", "bev": "from above", "3d": "space", "aos": "AOS"}


def write_kitti_page(
    out: str | os.PathLike[str],
    label_dir: str | os.PathLike[str],
    case: KittiCase,
    result: KittiResult,
    analysis: Analysis,
    *,
    comparison: Comparison | None = None,
    other: str = "the others",
    title: str = "KITTI evaluation",
) -> Path:
    """Write ``out/index.html``, which needs no other file, and ``out/pictures`` with its pictures as PNG.

    Args:
        out: folder, made if need be.
        label_dir: folder of the labels; scans are looked for in ``velodyne`` and ``calib`` beside it.
        case: see :func:`bev3d.evaluation.kitti.kitti_case`.
        result: of :func:`evaluate_kitti`.
        analysis: of the case.
        comparison: where there is one, the other detections first.
        other: what the other detections are called.
        title: of the page.
    """
    found, truth = len(case.judged.found_label), len(case.judged.truth_label)
    level = DIFFICULTIES[case.difficulty]
    lead = f"{result.num_frames:,} frames; at {level} difficulty {found:,} detections and {truth:,} objects count."
    page = Page(title, lead)
    book = Book(page, Path(out))
    page.facts(
        [
            (f"{name} {metric}, {level}, R40", _percent(result.r40(name, metric, level)))
            for name in result.curves
            for metric in ("3d", "bev")
        ]
    )
    _scores(book, result)
    _curves(book, result)
    show_errors(book, analysis, ("AP", "orientation"))
    overlaps = ", ".join(f"{name} {least:g}" for name, least in case.min_overlap.items())
    show_confusion(book, analysis, f"overlap above that of the object's class: {overlaps}")
    show_calibration(book, analysis.calibration)
    show_worst(book, analysis, lambda one: _load(one, case, Path(label_dir)), "frames")
    if comparison is not None:
        show_comparison(book, comparison, other)
    show_versions(book)
    return page.write(Path(out) / "index.html")


def _scores(book: Book, result: KittiResult) -> None:
    about = "Average precision in percent over 40 recall positions (R40) and over 11 (R11), by class, metric and "
    about += "difficulty. AOS: precision times orientation similarity, in the picture."
    about += f"\n\n{result.remark}" if result.remark else ""
    headers = ["class", "metric", *(f"{mean} {level}" for mean in ("R40", "R11") for level in DIFFICULTIES), "objects"]
    rows: list[tuple[object, ...]] = []
    for name, metrics in result.curves.items():
        for metric, levels in metrics.items():
            means = [getattr(curve, mean) for mean in ("r40", "r11") for curve in levels.values()]
            cells = ["–" if math.isnan(mean) else f"{mean:.2f}" for mean in means]
            head = f"{name} > {result.min_overlap[name]:g}"
            rows.append((head, TITLES[metric], *cells, levels["moderate"].num_ground_truth))
    book.page.section("Score", about).table(headers, rows, "Objects: those that count at moderate difficulty.")


def _curves(book: Book, result: KittiResult) -> None:
    page = book.page.section("Curves", "All curves are in curves.json as numbers.")
    for name, metrics in result.curves.items():
        if not any(curve.num_ground_truth for levels in metrics.values() for curve in levels.values()):
            page.text(f"{name}: no object counts.")
            continue
        if not result.num_predictions.get(name, 1):
            page.text(f"{name}: no result file has a detection.")
            continue
        panels = {
            TITLES[metric]: {
                level: ([k / 40 for k in range(41)], list(curve.precision))
                for level, curve in levels.items()
                if curve.num_ground_truth
            }
            for metric, levels in metrics.items()
        }
        title = f"{name}: precision over recall"
        book.picture(
            f"precision_recall_{name}",
            partial(_draw, panels, title),
            f"{name} by metric and difficulty, after the running maximum of the benchmark.",
            wide=True,
        )


def _draw(panels: Mapping[str, Mapping[str, tuple[list[float], list[float]]]], title: str, theme: str) -> Figure:
    return panel_figure(panels, title=title, theme=theme, columns=4)


def _load(one: WorstSample, case: KittiCase, label_dir: Path) -> Shown:
    """A frame in the camera's ground frame: x right, y forward, z up."""
    frames, judged = case.frames, case.judged
    truth_rows = np.flatnonzero(judged.truth_sample == one.index)
    found_rows = np.concatenate([one.hits, one.false])
    boxes, found = (
        upright_boxes(lines.select(rows))
        for lines, rows in (
            (frames.truth, case.truth_rows[truth_rows]),
            (frames.found, case.found_rows[found_rows]),
        )
    )
    labels = judged.truth_label[truth_rows]
    sample = Sample(
        token=one.token,
        points=_points(label_dir.parent, one.token),
        boxes=_nine(boxes),
        labels=labels,
        names=tuple(judged.class_names[label] for label in labels),
        num_points=np.full(len(labels), -1, dtype=np.int64),
        class_names=judged.class_names,
    )
    scores, classes = judged.found_score[found_rows], judged.found_label[found_rows]
    answer = Detections(one.token, _nine(found), scores, classes, judged.class_names)
    return Shown(sample, answer, np.isin(truth_rows, one.missed), np.isin(found_rows, one.false))


def _nine(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([boxes, np.full((len(boxes), 2), np.nan)], axis=1)


def _points(folder: Path, token: str) -> NDArray[np.float32]:
    """Points in front of the camera; none where the folder has no scan or no calibration of the frame."""
    points = np.zeros((0, 5), dtype=np.float32)
    scan_file, calib_file = folder / "velodyne" / f"{token}.bin", folder / "calib" / f"{token}.txt"
    if not scan_file.is_file() or not calib_file.is_file():
        return points
    try:
        scan, calib = read_velodyne(scan_file), read_calib(calib_file)
    except DataFormatError:
        return points
    rect = scan[:, :3].astype(np.float64) @ calib.rect_from_velo[:3, :3].T + calib.rect_from_velo[:3, 3]
    front = rect[rect[:, 2] > 0]
    points = np.zeros((len(front), 5), dtype=np.float32)
    points[:, 0], points[:, 1], points[:, 2] = front[:, 0], front[:, 2], -front[:, 1]
    return points


def _percent(percent: float) -> str:
    return "–" if math.isnan(percent) else f"{percent:.2f} %"
