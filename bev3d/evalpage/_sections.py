"""Sections that are the same for every data set."""

from __future__ import annotations

import math
import platform

import numpy as np

import bev3d
from bev3d.evalpage._book import Book
from bev3d.evaluation import ERROR_KINDS, Analysis, Calibration, Comparison
from bev3d.viz import confusion_figure, gain_figure, interval_figure, panel_figure

__all__ = ["show_calibration", "show_comparison", "show_confusion", "show_errors", "show_versions"]

MEANING = {
    "classification": "on an object of another class; mended: it gets that class",
    "localisation": "near an object of its class, too far for a hit; mended: it is put onto it",
    "orientation": "a hit whose heading is wrong; mended: the heading is right",
    "both": "near an object of another class, too far for a hit; mended: it goes",
    "duplicate": "on an object that a better scored one hit; mended: it goes",
    "background": "near no object; mended: it goes",
    "missed": "an object that no hit, classification or localisation error is about; mended: it is not asked for",
    "false positives": "all false detections go",
    "false negatives": "no object that is not hit is asked for",
}


def show_errors(book: Book, analysis: Analysis, means: tuple[str, ...]) -> None:
    """Kinds of errors: what mending would gain, by kind and by class, and how many there are.

    Args:
        book: the page.
        analysis: what is shown.
        means: gains that are drawn.
    """
    errors = analysis.errors
    about = "What the metric would gain if one kind of error were mended and everything else stayed, in the manner of "
    about += "TIDE (Bolya et al., 2020). Gains do not add up: mending one kind changes what the others cost.\n\n"
    page = book.page.section("Errors", f"{about}{errors.rule[0].upper()}{errors.rule[1:]}.")
    gains = {kind: {mean: gain.mean[mean] for mean in means} for kind, gain in errors.gains.items()}
    book.picture("errors", lambda theme: gain_figure(gains, theme=theme), "Gain by kind of error.")
    names = [name for name, kinds in errors.counts.items() if any(kinds.values()) or errors.hits[name]]
    headers = ("class", "hits", *(kind[:6] + "." if len(kind) > 11 else kind for kind in ERROR_KINDS))
    rows = [(_spaced(n), errors.hits[n], *(errors.counts[n][kind] for kind in ERROR_KINDS)) for n in names]
    page.table(headers, rows, "Numbers of boxes; a false detection stands with the class that it claims.")
    kinds = [kind for kind in errors.gains if kind in ERROR_KINDS and kind != "orientation"]
    judged = analysis.judged
    asked = {judged.class_names[label] for label in np.unique(judged.truth_label)}  # others have no AP to gain
    rows = [(_spaced(n), *(_signed(errors.gains[kind].ap[n]) if n in asked else "–" for kind in kinds)) for n in names]
    headers = ("class", *(kind[:6] + "." if len(kind) > 11 else kind for kind in kinds))
    page.table(headers, rows, "Gain in AP by class, percent.")
    page.table(("What the kinds mean",), [(f"{kind}: {MEANING[kind]}",) for kind in errors.gains])


def show_confusion(book: Book, analysis: Analysis, bound: str) -> None:
    """The confusion matrix and the scores it was made at."""
    confusion = analysis.confusion
    about = f"Each detection, best score first, takes the closest free object of any class ({bound}). A class takes "
    about += (
        "part from the score on at which its F1 is greatest. What the metric leaves out of account is out here too."
    )
    page = book.page.section("Confusion", about)
    names = [*confusion.class_names, "background"]
    book.picture(
        "confusion",
        lambda theme: confusion_figure(names, confusion.counts, theme=theme),
        "Rows: ground truth, columns: detections, coloured by the share of the row.",
    )
    pairs = zip(confusion.class_names, confusion.thresholds.tolist(), strict=True)
    page.table(("class", "from score"), [(_spaced(name), value) for name, value in pairs if math.isfinite(value)])


def show_calibration(book: Book, calibration: Calibration) -> None:
    """Reliability curves, expected calibration errors and Brier scores."""
    about = (
        "Of detections with a score of 0.7, seven in ten should be hits. A curve above the diagonal: scores are too "
    )
    about += "low. ECE: mean distance from the diagonal, weighted by the number of detections. Brier: mean squared "
    about += "difference between score and hit (1 or 0). Objects without a detection have no part in it."
    page = book.page.section("Calibration", about)
    if calibration.note:
        page.text(f"Left out: {calibration.note}.")
        return
    classes = {name: one for name, one in calibration.per_class.items() if one.count.sum()}
    panels = {
        name: {"precision": (one.mean_score.tolist(), one.precision.tolist())}
        for name, one in {"all classes": calibration.all, **classes}.items()
        if np.nansum(one.precision)  # a class without a hit has nothing to show
    }
    book.picture(
        "calibration",
        lambda theme: panel_figure(
            panels, title="Reliability", x_label="mean score", y_label="share of hits",
            y_limits=(-0.02, 1.02), theme=theme,
            columns=4, diagonal=True, markers=True,
        ),
        "Share of hits over the mean score of ten bins.",
        wide=True,
    )  # fmt: skip
    rows = [(_spaced(n), int(one.count.sum()), one.ece, one.brier) for n, one in classes.items()]
    rows.append(("all classes", int(calibration.all.count.sum()), calibration.all.ece, calibration.all.brier))
    page.table(("class", "detections", "ECE", "Brier"), rows)


def show_comparison(book: Book, comparison: Comparison, other: str) -> None:
    """Differences to another set of detections with their intervals."""
    about = f"These detections less those of {other}: {100 * comparison.level:g} % intervals from "
    about += (
        f"{comparison.resamples:,} draws of {comparison.num_units} {comparison.unit} with replacement, both scored "
    )
    about += f"on the same draws. Coloured: the interval leaves 0 out. {comparison.note}"
    page = book.page.section("Comparison", about)
    rows = [row for row in comparison.rows() if not math.isnan(row[3])]
    shown = [(name, difference, low, high) for name, _, _, difference, low, high, _ in rows]
    title = f"Difference to {other}"
    book.picture("comparison", lambda theme: interval_figure(shown, title=title, theme=theme), "Percent.")
    table = [
        (n, f"{b:.2f}", f"{a:.2f}", f"{d:+.2f}", f"{low:+.2f}", f"{high:+.2f}", v) for n, a, b, d, low, high, v in rows
    ]
    page.table(("in percent", "these", "other", "difference", "from", "to", ""), table)


def show_versions(book: Book) -> None:
    """What the page was made with."""
    versions = f"bev3d {bev3d.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    book.page.section("Made with", f"{versions}, {platform.machine()}.")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _signed(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:+.2f}"
