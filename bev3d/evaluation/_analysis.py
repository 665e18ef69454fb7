"""What an analysis says beyond the official numbers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bev3d._files import write_text
from bev3d.evaluation._calibration import Calibration
from bev3d.evaluation._confusion import Confusion, WorstSample
from bev3d.evaluation._error_kinds import ERROR_KINDS
from bev3d.evaluation._json import without_nan
from bev3d.evaluation._judged import Judged

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Analysis", "ErrorAnalysis", "Gain"]


@dataclass(frozen=True)
class Gain:
    """What the metric would gain if one kind of error were mended and nothing else.

    Attributes:
        mean: by name of a mean, such as ``"mAP"``; shares of 1.
        ap: by class.
    """

    mean: Mapping[str, float]
    ap: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class ErrorAnalysis:
    """Errors in the manner of TIDE (Bolya et al., 2020, arXiv:2008.08115).

    Attributes:
        counts: by class and kind of error.
        hits: by class.
        gains: by kind of error, and ``"false positives"`` and ``"false negatives"`` for all of them at once.
        rule: the bounds, in words.
    """

    counts: Mapping[str, Mapping[str, int]]
    hits: Mapping[str, int]
    gains: Mapping[str, Gain]
    rule: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is None."""
        gains = {kind: {"mean": dict(gain.mean), "ap": dict(gain.ap)} for kind, gain in self.gains.items()}
        counts = {name: dict(kinds) | {"hits": self.hits[name]} for name, kinds in self.counts.items()}
        return without_nan({"rule": self.rule, "counts": counts, "gains": gains})

    def table(self) -> Table:
        """A table for the terminal: kinds of errors, how many, and what mending each would gain."""
        from rich import box
        from rich.table import Table

        table = Table(title="Errors, and what mending one kind would gain", box=box.SIMPLE, padding=0)
        table.add_column("kind", no_wrap=True)
        means = list(next(iter(self.gains.values())).mean)
        for heading in ("boxes", *(f" {mean} in %" for mean in means)):
            table.add_column(heading, justify="right", no_wrap=True)
        for kind, gain in self.gains.items():
            count = str(sum(one[kind] for one in self.counts.values())) if kind in ERROR_KINDS else ""
            table.add_row(kind, count, *(_signed(gain.mean[mean]) for mean in means))
        return table


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that is said about one set of detections beyond the official numbers.

    Attributes:
        errors: kinds of errors.
        calibration: of the scores.
        confusion: classes against classes.
        worst: samples with most mistakes.
        judged: detections and ground truth that all this was computed from.
    """

    errors: ErrorAnalysis
    calibration: Calibration
    confusion: Confusion
    worst: tuple[WorstSample, ...]
    judged: Judged

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is None."""
        return {
            "errors": self.errors.to_dict(),
            "calibration": self.calibration.to_dict(),
            "confusion": self.confusion.to_dict(),
            "worst": [one.to_dict() for one in self.worst],
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All of it as JSON; written whole to ``path`` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text


def _signed(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:+.2f}"
