"""What the nuScenes metric says, as numbers, JSON and a table."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bev3d._files import write_text
from bev3d.evaluation._json import without_nan
from bev3d.evaluation.nuscenes._curves import Curves
from bev3d.evaluation.nuscenes._protocol import MEAN_AP_WEIGHT, TP_ERRORS

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["TP_ERRORS", "ClassResult", "NuScenesResult"]

_SHORT = {"trans_err": "ATE", "scale_err": "ASE", "orient_err": "AOE", "vel_err": "AVE", "attr_err": "AAE"}


@dataclass(frozen=True)
class ClassResult:
    """One class.

    Attributes:
        ap: mean over the distances, 0 to 1.
        ap_by_distance: AP by matching distance in metres.
        tp_errors: by name, of matches within 2 m; NaN where the class has no such error.
        num_ground_truth: boxes that count, after the filters on range, points and bicycle racks.
        num_predictions: predictions that count, after the filter on range and bicycle racks.
    """

    ap: float
    ap_by_distance: Mapping[float, float]
    tp_errors: Mapping[str, float]
    num_ground_truth: int
    num_predictions: int


@dataclass(frozen=True)
class NuScenesResult:
    """The nuScenes detection metric (``detection_cvpr_2019``).

    A class without ground truth counts AP 0 and errors 1 in the official means, which says nothing about a detector
    on a small split; the ``present_class`` numbers are the same means over the classes that are there.

    Attributes:
        split: what was evaluated.
        mean_ap: official mAP, 0 to 1.
        nds: official nuScenes detection score, (5 mAP + sum of max(0, 1 - error)) / 10.
        tp_errors: the five official mean errors by name.
        per_class: by class name.
        num_samples: samples in the split.
        curves: precision, confidence and errors over recall, by class and matching distance in metres.
        by_range: the same metric within bands of the distance from the vehicle, where they were asked for.
        missing_scenes: scenes of the split that the tables do not hold, as after a partial download.
    """

    split: str
    mean_ap: float
    nds: float
    tp_errors: Mapping[str, float]
    per_class: Mapping[str, ClassResult]
    num_samples: int
    curves: Mapping[tuple[str, float], Curves] = field(default_factory=dict, compare=False, repr=False)
    by_range: Mapping[tuple[float, float], NuScenesResult] = field(default_factory=dict)
    missing_scenes: int = field(default=0, compare=False)

    @property
    def present_classes(self) -> tuple[str, ...]:
        """Classes that have ground truth in the split after filtering."""
        return tuple(name for name, one in self.per_class.items() if one.num_ground_truth)

    @property
    def present_class_mean_ap(self) -> float:
        """Mean AP over the classes that have ground truth; NaN without any."""
        return _nan_mean([self.per_class[name].ap for name in self.present_classes])

    @property
    def present_class_nds(self) -> float:
        """Detection score over the classes that have ground truth; NaN without any."""
        total = MEAN_AP_WEIGHT * self.present_class_mean_ap
        for error in TP_ERRORS:
            mean = _nan_mean([self.per_class[name].tp_errors[error] for name in self.present_classes])
            total += 0.0 if math.isnan(mean) else max(0.0, 1.0 - mean)
        return total / (MEAN_AP_WEIGHT + len(TP_ERRORS))

    @property
    def remark(self) -> str:
        """Says that a part of the split is all there is; empty where it is whole."""
        some = f"{self.missing_scenes} scenes" if self.missing_scenes > 1 else "1 scene"
        return f"The tables lack {some} of {self.split}." if self.missing_scenes else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the devkit's names, and ours beside them; NaN is None."""
        classes = self.per_class.items()
        bands = {f"{low:g}-{high:g} m": one.to_dict() for (low, high), one in self.by_range.items()}
        return without_nan(
            {
                "split": self.split,
                "num_samples": self.num_samples,
                "missing_scenes": self.missing_scenes,
                "mean_ap": self.mean_ap,
                "nd_score": self.nds,
                "tp_errors": dict(self.tp_errors),
                "tp_scores": {name: max(0.0, 1.0 - error) for name, error in self.tp_errors.items()},
                "label_aps": {n: {str(d): ap for d, ap in c.ap_by_distance.items()} for n, c in classes},
                "mean_dist_aps": {name: one.ap for name, one in classes},
                "label_tp_errors": {name: dict(one.tp_errors) for name, one in classes},
                "num_ground_truth": {name: one.num_ground_truth for name, one in classes},
                "num_predictions": {name: one.num_predictions for name, one in classes},
                "present_classes": list(self.present_classes),
                "present_class_mean_ap": self.present_class_mean_ap,
                "present_class_nds": self.present_class_nds,
            }
            | ({"by_range": bands} if bands else {})
        )

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The numbers as JSON; written whole to ``path`` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def curves_to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All curves as JSON, by ``"class:distance"`` as the devkit keys them; written whole to ``path``."""
        curves = {f"{name}:{distance}": one.to_dict() for (name, distance), one in self.curves.items()}
        text = json.dumps(curves, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def table(self) -> Table:
        """A table for the terminal; classes without ground truth are dim. ATE in m, AOE in rad, AVE in m/s."""
        from rich import box
        from rich.table import Table

        title = f"nuScenes {self.split}: mAP {100 * self.mean_ap:.2f} %, NDS {100 * self.nds:.2f} %"
        about = f"{self.num_samples} sample{'' if self.num_samples == 1 else 's'}; over the "
        about += f"{len(self.present_classes)} classes present: mAP {_share(self.present_class_mean_ap)}, "
        about += f"NDS {_share(self.present_class_nds)}" + (f"\n{self.remark}" if self.remark else "")
        table = Table(title=title, caption=about, box=box.SIMPLE, padding=0)
        table.add_column("AP in %", no_wrap=True)
        distances = list(next(iter(self.per_class.values())).ap_by_distance)
        for heading in [*(f"{d:g} m" for d in distances), "mean", *_SHORT.values(), "truth"]:
            table.add_column(heading, justify="right", no_wrap=True)
        for name, one in self.per_class.items():
            table.add_row(name, *_cells(one, distances), style=None if one.num_ground_truth else "dim")
        table.add_section()
        errors = [_number(self.tp_errors[error], 2) for error in TP_ERRORS]
        table.add_row("mean", *([""] * len(distances)), _percent(self.mean_ap), *errors, "", style="bold")
        return table


def _cells(one: ClassResult, distances: list[float]) -> list[str]:
    aps = [*(one.ap_by_distance[d] for d in distances), one.ap]
    errors = [_number(one.tp_errors[error], 2) for error in TP_ERRORS]
    return [*(_percent(ap) for ap in aps), *errors, str(one.num_ground_truth)]


def _percent(share: float) -> str:
    # four characters at most, so that the table fits into eighty columns
    return "100" if share > 0.9995 else f"{100 * share:.1f}"


def _share(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.2f} %"


def _number(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"


def _nan_mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
