"""Kinds of errors in the manner of TIDE, for any way to say how close two boxes are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.evaluation._judged import Judged
from bev3d_ops.cpu._error_kinds import CLASSIFICATION, HIT, LOCALISATION, kind_of_errors

__all__ = ["DETECTION_KINDS", "ERROR_KINDS", "Blame", "Promoted", "blame", "promote"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DETECTION_KINDS = ("classification", "localisation", "both", "duplicate", "background")
"""Kinds of false detections, in the order of the kernel's numbers."""

ERROR_KINDS = ("classification", "localisation", "orientation", "both", "duplicate", "background", "missed")


@dataclass(frozen=True, eq=False)
class Blame:
    """What is wrong.

    Attributes:
        kind: (D,) index into :data:`DETECTION_KINDS`, -1 for a hit.
        target: (D,) the ground truth that it is about, -1 for none.
        truth_found: (N,) ground truth that was hit.
        missed: (N,) ground truth that was not hit, and that no misplaced or misnamed detection is about.
        turned: (D,) hits whose heading is wrong.
    """

    kind: Ints
    target: Ints
    truth_found: Bools
    missed: Bools
    turned: Bools

    def counts(self, judged: Judged) -> dict[str, dict[str, int]]:
        """Numbers by class and kind; a false detection counts for the class that it claims."""
        result: dict[str, dict[str, int]] = {}
        for label, name in enumerate(judged.class_names):
            mine = judged.found_label == label
            by_kind = {kind: int((mine & (self.kind == k)).sum()) for k, kind in enumerate(DETECTION_KINDS)}
            by_kind["orientation"] = int((mine & self.turned).sum())
            by_kind["missed"] = int((self.missed & (judged.truth_label == label)).sum())
            result[name] = {kind: by_kind[kind] for kind in ERROR_KINDS}
        return result


@dataclass(frozen=True, eq=False)
class Promoted:
    """Detections after one kind of error is mended.

    Attributes:
        label: (D,) class of each.
        truth: (D,) ground truth of each hit, else -1.
        kept: (D,) whether it is still there: what would be a second answer to an object goes.
    """

    label: Ints
    truth: Ints
    kept: Bools


def blame(judged: Judged, *, turn_rad: float) -> Blame:
    """Say of each false detection and of each missed object what is wrong.

    A false detection is judged by what is closest to it:

    * within the bound of a match of the object's class: **duplicate** where the closest object is of its class (which
      then was found already), else **classification**;
    * else an object of its class within the bound to the background: **localisation**;
    * else an object of another class there: **both** place and class;
    * else **background**.

    Objects that were not found go before those that were. An object is **missed** where it was not found and no
    classification or localisation error is about it. A hit is an **orientation** error where its heading is off by more
    than ``turn_rad``.

    In the manner of Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", 2020,
    arXiv:2008.08115, where a wrong place goes before a wrong class whatever lies closer.
    """
    truth_found = np.zeros(len(judged.truth_label), dtype=bool)
    truth_found[judged.found_truth[judged.found_truth >= 0]] = True
    pairs = judged.pairs
    layout = (judged.found_label, judged.found_truth, judged.truth_label, truth_found)
    kind, target = kind_of_errors(*layout, pairs.start, pairs.truth, pairs.closeness, judged.foreground)
    missed = ~truth_found
    missed[target[(kind == CLASSIFICATION) | (kind == LOCALISATION)]] = False
    with np.errstate(invalid="ignore"):
        turned = (kind == HIT) & (judged.found_turn > turn_rad)
    return Blame(kind, target, truth_found, missed, turned)


def promote(judged: Judged, found: Blame, kind: str) -> Promoted:
    """Mend one kind of error of detections.

    A misnamed detection gets the class of its object, a misplaced one is put onto it: the best scored one of those
    that are about an object that was not found becomes its hit, the others would be duplicates and go. Detections of
    the other kinds go.
    """
    label, truth = judged.found_label.copy(), judged.found_truth.copy()
    if kind not in DETECTION_KINDS:
        return Promoted(label, truth, np.ones(len(label), dtype=bool))
    number = DETECTION_KINDS.index(kind)
    kept = found.kind != number
    if number in (CLASSIFICATION, LOCALISATION):
        rows = judged.rank
        rows = rows[found.kind[rows] == number]
        rows = rows[~found.truth_found[found.target[rows]]]
        _, first = np.unique(found.target[rows], return_index=True)
        mended = rows[first]
        truth[mended] = found.target[mended]
        label[mended] = judged.truth_label[found.target[mended]]
        kept[mended] = True
    return Promoted(label, truth, kept)
