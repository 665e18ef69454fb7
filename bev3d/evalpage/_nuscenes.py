"""The page of a nuScenes evaluation."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.boxes import transform_boxes
from bev3d.boxes.convert import from_nuscenes
from bev3d.data import DETECTION_CLASSES, Detections
from bev3d.data.nuscenes import invert_rigid
from bev3d.evalpage._book import Book
from bev3d.evalpage._sections import show_calibration, show_comparison, show_confusion, show_errors, show_versions
from bev3d.evalpage._worst import Shown, show_worst
from bev3d.evaluation import Analysis, Comparison, NuScenesEvaluator, NuScenesResult, WorstSample
from bev3d.evaluation.nuscenes import Curves, Predictions
from bev3d.viz import Page, panel_figure

__all__ = ["write_nuscenes_page"]

ERRORS = {
    "trans_err": "ATE, m",
    "scale_err": "ASE",
    "orient_err": "AOE, rad",
    "vel_err": "AVE, m/s",
    "attr_err": "AAE",
}


def write_nuscenes_page(
    out: str | os.PathLike[str],
    evaluator: NuScenesEvaluator,
    predictions: Predictions,
    result: NuScenesResult,
    analysis: Analysis,
    *,
    comparison: Comparison | None = None,
    other: str = "the others",
    title: str = "nuScenes evaluation",
) -> Path:
    """Write ``out/index.html``, which needs no other file, and ``out/pictures`` with its pictures as PNG.

    Args:
        out: folder, made if need be.
        evaluator: that the numbers came from.
        predictions: the same that were evaluated, as :meth:`NuScenesEvaluator.read` gives them or as it takes them.
        result: of ``evaluator.evaluate``.
        analysis: of ``evaluator.analyse``.
        comparison: of ``evaluator.compare(others, predictions)``, where there is one.
        other: what the other predictions are called.
        title: of the page.
    """
    counts = f"{result.num_samples} samples of {result.split}"
    found = sum(one.num_predictions for one in result.per_class.values())
    truth = sum(one.num_ground_truth for one in result.per_class.values())
    absent = f" {result.remark}" if result.remark else ""
    page = Page(title, f"{counts}, {found:,} predictions and {truth:,} objects that count.{absent}")
    book = Book(page, Path(out))
    present = f"over the {len(result.present_classes)} classes present"
    page.facts(
        [
            ("mAP, official", _percent(result.mean_ap)),
            ("NDS, official", _percent(result.nds)),
            (f"mAP {present}", _percent(result.present_class_mean_ap)),
            (f"NDS {present}", _percent(result.present_class_nds)),
        ]
    )
    _scores(book, result)
    _curves(book, result)
    if result.by_range:
        _ranges(book, result)
    show_errors(book, analysis, ("mAP present", "NDS present"))
    show_confusion(book, analysis, "centres nearer than 2 m, seen from above")
    show_calibration(book, analysis.calibration)
    boxes = _Boxes(evaluator, predictions)
    show_worst(book, analysis, boxes.load, "samples")
    if comparison is not None:
        show_comparison(book, comparison, other)
    show_versions(book)
    return page.write(Path(out) / "index.html")


def _scores(book: Book, result: NuScenesResult) -> None:
    about = "Average precision by class and matching distance, and the errors of true positives within 2 m "
    about += "(detection_cvpr_2019). A class without ground truth counts AP 0 and errors 1 in the official means."
    distances = list(next(iter(result.per_class.values())).ap_by_distance)
    rows: list[tuple[object, ...]] = [
        (
            name.replace("_", " "),
            *(one.ap_by_distance[d] for d in distances),
            one.ap,
            *(one.tp_errors[error] for error in ERRORS),
            one.num_ground_truth,
            one.num_predictions,
        )
        for name, one in result.per_class.items()
    ]
    blank = [None] * len(distances)
    rows.append(("mean", *blank, result.mean_ap, *(result.tp_errors[error] for error in ERRORS), None, None))
    headers = ("class", *(f"{d:g} m" for d in distances), "AP", *ERRORS.values(), "truth", "found")
    book.page.section("Score", about).table(headers, rows)


def _curves(book: Book, result: NuScenesResult) -> None:
    page = book.page.section("Curves", "Classes that have ground truth. All curves are in curves.json as numbers.")
    names, distances = result.present_classes, sorted({distance for _, distance in result.curves})
    if not names:
        page.text("None has.")
        return
    if not any(result.per_class[name].num_predictions for name in names):
        page.text("No prediction of these classes counts: there are no curves.")
        return

    def lines(name: str) -> dict[str, tuple[list[float], list[float]]]:
        curves = {f"{d:g} m": result.curves[name, d] for d in distances}
        return {label: _precision_line(one) for label, one in curves.items()}

    panels = {name: lines(name) for name in names}
    book.picture(
        "precision_recall",
        lambda theme: panel_figure(panels, title="Precision over recall by matching distance", theme=theme),
        "Precision over recall at the four matching distances.",
        wide=True,
    )
    errors = {ERRORS[error]: {name: _error_line(result, name, error) for name in names} for error in ERRORS}
    book.picture(
        "true_positive_errors",
        lambda theme: panel_figure(
            errors, title="Errors of true positives within 2 m", y_label="mean error", y_limits=None,
            theme=theme, lines_are_classes=True,
        ),
        "Mean error of the true positives down to the score at which a recall is reached.",
        wide=True,
    )  # fmt: skip


def _precision_line(curves: Curves) -> tuple[list[float], list[float]]:
    """Up to the greatest recall reached, and down to 0 there."""
    last = int(np.flatnonzero(curves.confidence)[-1]) if curves.confidence.any() else 0
    return [*curves.recall[: last + 1], curves.recall[last]], [*curves.precision[: last + 1], 0.0]


def _error_line(result: NuScenesResult, name: str, error: str) -> tuple[list[float], list[float]]:
    """Up to the greatest recall reached; nothing where the class has no such error."""
    curves = result.curves[name, 2.0]
    shown = curves.confidence > 0
    if math.isnan(result.per_class[name].tp_errors[error]):
        shown = np.zeros_like(shown)
    return curves.recall[shown].tolist(), curves.errors[error][shown].tolist()


def _ranges(book: Book, result: NuScenesResult) -> None:
    bands = {f"{low:g}-{high:g} m": one for (low, high), one in result.by_range.items()}
    about = "The same metric within bands of the distance from the vehicle; only what lies in the band takes part."
    page = book.page.section("By range", about)
    rows: list[tuple[object, ...]] = []
    for name in result.present_classes:
        there = [one.per_class[name] for one in bands.values()]
        cells = [f"{one.ap:.3f} ({one.num_ground_truth:,})" if one.num_ground_truth else "–" for one in there]
        rows.append((name.replace("_", " "), *cells))
    for label, number in (("mAP present", "present_class_mean_ap"), ("NDS present", "present_class_nds")):
        rows.append((label, *(getattr(one, number) for one in bands.values())))
    page.table(("class", *bands), rows, "AP, and in brackets the boxes to be found.")
    panels = {
        name: {
            band: _precision_line(one.curves[name, 2.0])
            for band, one in bands.items()
            if one.per_class[name].num_ground_truth
        }
        for name in result.present_classes
    }
    if any(result.per_class[name].num_predictions for name in panels):
        book.picture(
            "precision_recall_by_range",
            lambda theme: panel_figure(panels, title="Precision over recall at 2 m by range", theme=theme),
            "Precision over recall at a matching distance of 2 m.",
            wide=True,
        )


class _Boxes:
    """Boxes that count, in the frame of a sample."""

    def __init__(self, evaluator: NuScenesEvaluator, predictions: Predictions) -> None:
        self.dataset = evaluator.dataset
        self.truth = evaluator.counting_truth
        self.found = evaluator.counting(evaluator.read(predictions))

    def load(self, one: WorstSample) -> Shown:
        index = self.dataset.tokens.index(one.token)
        try:
            sample = self.dataset[index]
        except (DataFormatError, OSError):
            sample = self.dataset.annotations(index)  # no scan in this folder: boxes alone
        sample_from_global = invert_rigid(self.dataset.global_from_sample(index))
        truth_rows = np.flatnonzero(self.truth.sample == one.index)
        found_rows = np.concatenate([one.hits, one.false])
        boxes, found = (
            transform_boxes(from_nuscenes(b.translation, b.size, b.rotation, b.velocity), sample_from_global)
            for b in (self.truth.take(truth_rows), self.found.take(found_rows))
        )
        labels = self.truth.label[truth_rows]
        names = tuple(DETECTION_CLASSES[label] for label in labels)
        sample = replace(sample, boxes=boxes, labels=labels, names=names, num_points=self.truth.num_points[truth_rows])
        answer = Detections(
            one.token, found, self.found.score[found_rows], self.found.label[found_rows], DETECTION_CLASSES
        )
        return Shown(sample, answer, _among(truth_rows, one.missed), _among(found_rows, one.false))


def _among(rows: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(rows, chosen)


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.2f} %"
