"""What the KITTI metric says, as numbers, JSON and a table."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bev3d._files import write_text
from bev3d.data.kitti import DIFFICULTIES
from bev3d.evaluation._json import without_nan

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["KittiCurve", "KittiResult", "remark_on_absent"]


@dataclass(frozen=True)
class KittiCurve:
    """One class, one metric, one difficulty.

    Attributes:
        precision: 41 values in [0, 1] at recall 0, 1/40, ..., 1; for ``"aos"`` precision times orientation similarity.
        num_ground_truth: objects that count.
    """

    precision: tuple[float, ...]
    num_ground_truth: int

    @property
    def r40(self) -> float:
        """Mean over recall 1/40 to 1 in percent; NaN where no object counts."""
        return self._mean(self.precision[1:])

    @property
    def r11(self) -> float:
        """Mean over recall 0, 0.1, ..., 1 in percent; NaN where no object counts."""
        return self._mean(self.precision[::4])

    def _mean(self, values: tuple[float, ...]) -> float:
        return 100 * sum(values) / len(values) if self.num_ground_truth else math.nan


@dataclass(frozen=True)
class KittiResult:
    """The KITTI object metric.

    Attributes:
        curves: by class, metric (``"image"``, ``"bev"``, ``"3d"`` and, where every detection has an observation angle,
            ``"aos"``) and difficulty (``"easy"``, ``"moderate"``, ``"hard"``).
        min_overlap: overlap that a match has to exceed, by class.
        num_frames: frames evaluated.
        num_predictions: lines of the result files by class.
    """

    curves: Mapping[str, Mapping[str, Mapping[str, KittiCurve]]]
    min_overlap: Mapping[str, float]
    num_frames: int
    num_predictions: Mapping[str, int] = field(default_factory=dict)

    @property
    def remark(self) -> str:
        """Says which classes count 0 because no file has a detection of them; empty where there are none."""
        return remark_on_absent([name for name in self.curves if not self.num_predictions.get(name, 1)])

    def r40(self, class_name: str, metric: str, difficulty: str) -> float:
        """Average precision in percent over 40 recall positions."""
        return self.curves[class_name][metric][difficulty].r40

    def r11(self, class_name: str, metric: str, difficulty: str) -> float:
        """Average precision in percent over 11 recall positions, as before October 2019."""
        return self.curves[class_name][metric][difficulty].r11

    @property
    def mean_ap(self) -> float:
        """Mean R40 in space, moderate, over the classes that have objects, as a share of 1; NaN without any.

        KITTI itself has no mean over classes; training wants one number. A class that nothing was found of counts 0.
        """
        means = [metrics["3d"]["moderate"].r40 for metrics in self.curves.values()]
        known = [mean for mean in means if not math.isnan(mean)]
        return sum(known) / len(known) / 100 if known else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values: R40 and R11 in percent, curves and counts; NaN is None."""
        classes = {}
        for name, metrics in self.curves.items():
            classes[name] = {
                metric: {
                    "R40": {level: curve.r40 for level, curve in levels.items()},
                    "R11": {level: curve.r11 for level, curve in levels.items()},
                    "precision_41": {level: list(curve.precision) for level, curve in levels.items()},
                    "num_ground_truth": {level: curve.num_ground_truth for level, curve in levels.items()},
                }
                for metric, levels in metrics.items()
            }
        about = {"num_frames": self.num_frames, "num_predictions": dict(self.num_predictions)}
        return without_nan(about | {"min_overlap": dict(self.min_overlap), "classes": classes})

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The numbers as JSON; written whole to ``path`` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def curves_to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All curves as JSON, by ``"class:metric:difficulty"``; written whole to ``path`` where one is given."""
        curves = {
            f"{name}:{metric}:{level}": {"recall": [k / 40 for k in range(41)], "precision": list(curve.precision)}
            for name, metrics in self.curves.items()
            for metric, levels in metrics.items()
            for level, curve in levels.items()
        }
        text = json.dumps(curves, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def table(self) -> Table:
        """A table for the terminal."""
        from rich import box
        from rich.table import Table

        frames = "1 frame" if self.num_frames == 1 else f"{self.num_frames} frames"
        title = f"KITTI, {frames}: average precision in %"
        table = Table(title=title, caption=self.remark or None, box=box.SIMPLE, padding=0)
        for heading in ("class, overlap", "metric"):
            table.add_column(heading, no_wrap=True)
        for mean in ("R40", "R11"):
            for level in DIFFICULTIES:
                table.add_column(f"{mean} {level[:4]}", justify="right", no_wrap=True)
        for name, metrics in self.curves.items():
            for i, (metric, levels) in enumerate(metrics.items()):
                means = [curve.r40 for curve in levels.values()] + [curve.r11 for curve in levels.values()]
                head = f"{name} > {self.min_overlap[name]:g}" if i == 0 else ""
                table.add_row(head, metric, *("-" if math.isnan(mean) else f"{mean:.2f}" for mean in means))
            table.add_section()
        return table


def remark_on_absent(names: Sequence[str], owner: str = "") -> str:
    """About classes without a detection: the official tool leaves them out, here they count 0."""
    return f"No result file{owner} has a detection of {', '.join(names)}: 0 where there are objects." if names else ""
