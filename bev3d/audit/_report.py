"""The audit of a split: counts, findings, limits, table and JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import bev3d
from bev3d._files import write_json
from bev3d.audit._limits import Limits
from bev3d.boxes import Box
from bev3d.config import Config, config_hash
from bev3d.targets import FLAWS, AuditRules, BoxAudit

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["COLUMNS", "AuditReport", "Finding"]

FORMAT = 1
LISTED = 50  # findings of a kind that the JSON names

# flaw -> head of its column
COLUMNS: Mapping[str, str] = {
    "out_of_range": "outside",
    "out_of_range_z": "by z",
    "too_few_points": "few points",
    "over_max_objects": "over max",
    "collided": "collided",
    "without_points": "no points",
    "min_radius": "min radius",
    "non_finite": "non-finite",
    "size_outlier": "odd size",
    "duplicate": "duplicate",
    "yaw_against_velocity": "odd yaw",
}


@dataclass(frozen=True)
class Finding:
    """One box and one flaw.

    Attributes:
        flaw: a name of ``FLAWS``, or ``decode_error``.
        frame: token of the sample.
        box: index of the box in its sample.
        class_name: of the box.
        detail: the numbers that make it one.
    """

    flaw: str
    frame: str
    box: int
    class_name: str
    detail: str


@dataclass(frozen=True, eq=False)
class AuditReport:
    """All boxes of a split and what was found about them.

    Attributes:
        config: data, grid and target settings that the audit is for.
        split: name of the split.
        tokens: of the samples, in the order of the split.
        boxes: every box; ``boxes.sample`` indexes ``tokens``.
        other: raw name -> boxes outside the classes.
        unreadable: token -> why the sample cannot be read.
        notes: what could not be looked at.
        rules: when a box counted as odd.
    """

    config: Config
    split: str
    tokens: tuple[str, ...]
    boxes: BoxAudit
    other: Mapping[str, int]
    unreadable: Mapping[str, str]
    notes: tuple[str, ...]
    rules: AuditRules

    def findings(self, flaw: str, most: int | None = None) -> list[Finding]:
        """The boxes with a flaw, in the order of the split; for ``decode_error`` the worst first."""
        boxes = self.boxes
        if flaw == "decode_error":
            order = np.argsort(-np.nan_to_num(boxes.decode_error, nan=-1.0, posinf=np.inf), kind="stable")
            rows = order[np.isfinite(boxes.decode_error[order]) | np.isinf(boxes.decode_error[order])]
        else:
            rows = np.flatnonzero(boxes.flaws[flaw])
        return [self._finding(flaw, int(row)) for row in rows[:most]]

    def exceeded(self, limits: Limits, *, by_class: bool = False) -> list[str]:
        """One sentence for every limit that is broken; ``by_class``: for every class by itself too."""
        counts = self.boxes.counts()
        groups = [*self.boxes.class_names, "total"] if by_class else ["total"]
        said = []
        for flaw, most in limits.shares.items():
            for name in groups:
                boxes, found = counts[name]["boxes"], counts[name][flaw]
                if boxes and found > most * boxes:
                    share = f"{found} of {boxes} boxes ({found / boxes:.2%})"
                    said.append(
                        f"{flaw}: expected at most {most:.2%}, got {share}{'' if name == 'total' else ' of ' + name}"
                    )
        error, worst = counts["total"]["max_decode_error"], limits.max_decode_error
        if worst is not None and error is not None and error > worst:
            said.append(f"decode_error: expected at most {worst:g}, got {error:.3g}")
        if limits.max_unreadable is not None and len(self.unreadable) > limits.max_unreadable:
            first = next(iter(self.unreadable.values()))
            said.append(
                f"unreadable: expected at most {limits.max_unreadable} frames, got {len(self.unreadable)}: {first}"
            )
        return said

    def to_dict(self, limits: Limits | None = None, *, by_class: bool = False) -> dict[str, Any]:
        """JSON values: counts by class and in total, sizes, findings (the first 50 of a kind), broken limits."""
        counts = self.boxes.counts()
        for i, name in enumerate(self.boxes.class_names):
            counts[name]["median_size_m"] = _median_size(self.boxes, i)
        for row in counts.values():  # JSON has no infinity
            error = row["max_decode_error"]
            row["max_decode_error"] = error if error is None or np.isfinite(error) else str(error)
        total = counts.pop("total")
        limits = Limits() if limits is None else limits
        exceeded = self.exceeded(limits, by_class=by_class)
        return {
            "format": FORMAT,
            "bev3d": bev3d.__version__,
            "dataset": self.config.dataset,
            "split": self.split,
            "config_hash": config_hash(self.config),
            "frames": len(self.tokens),
            "total": total,
            "classes": counts,
            "other": dict(self.other),
            "unreadable": dict(self.unreadable),
            "notes": list(self.notes),
            "rules": asdict(self.rules),
            "limits": asdict(limits),
            "exceeded": exceeded,
            "passed": not exceeded,
            "findings": {
                flaw: [asdict(one) for one in self.findings(flaw, LISTED if flaw != "decode_error" else 5)]
                for flaw in (*_told_apart(), "decode_error")
            },
        }

    def to_json(
        self, path: str | os.PathLike[str], limits: Limits | None = None, *, by_class: bool = False
    ) -> dict[str, Any]:
        """Write :meth:`to_dict`, which is returned."""
        content = self.to_dict(limits, by_class=by_class)
        write_json(path, content)
        return content

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Headers and rows of the table: classes with boxes, then the total; columns with something in them."""
        counts = self.boxes.counts()
        shown = [flaw for flaw in COLUMNS if counts["total"][flaw]]
        headers = ["class", "boxes", "target", *(COLUMNS[flaw] for flaw in shown), "decode error"]
        rows: list[list[object]] = []
        for name in [name for name in self.boxes.class_names if counts[name]["boxes"]] + ["total"]:
            row = counts[name]
            error = row["max_decode_error"]
            numbers = [row["boxes"], row["kept"], *(row[flaw] for flaw in shown)]
            rows.append([name.replace("_", " "), *numbers, None if error is None else f"{error:.1e}"])
        return headers, rows

    def table(self) -> Table:
        """The same for a terminal."""
        from rich.table import Table

        headers, rows = self.rows()
        table = Table(title=f"{len(self.tokens)} samples of {self.split}", title_justify="left")
        for i, header in enumerate(headers):
            table.add_column(header, justify="right" if i else "left")
        for row in rows[:-1]:
            table.add_row(*map(_text, row))
        table.add_section()
        table.add_row(*map(_text, rows[-1]), style="bold")
        return table

    def _finding(self, flaw: str, row: int) -> Finding:
        boxes = self.boxes
        label = int(boxes.label[row])
        name = boxes.class_names[label] if label >= 0 else "other"
        token = self.tokens[int(boxes.sample[row])]
        return Finding(flaw, token, int(boxes.index[row]), name, _detail(boxes, flaw, row))


def _detail(boxes: BoxAudit, flaw: str, row: int) -> str:
    values = boxes.boxes[row]
    if flaw in ("out_of_range", "out_of_range_z", "over_max_objects"):
        return "centre " + _numbers(values[Box.CENTRE]) + " m"
    if flaw == "size_outlier":
        return "length, width, height " + _numbers(values[Box.SIZE]) + " m"
    if flaw == "min_radius":
        return f"asks for {boxes.radius_cells[row]:.2f} cells"
    if flaw == "yaw_against_velocity":
        speed = float(np.hypot(*values[Box.VELOCITY]))
        return f"{np.degrees(boxes.motion_angle_rad[row]):.0f} degrees between heading and {speed:.1f} m/s"
    if flaw == "decode_error":
        return f"{boxes.decode_error[row]:.3g}"
    if flaw == "non_finite":
        return _numbers(values[:7])
    if flaw in ("without_points", "too_few_points"):
        distance = float(np.hypot(*values[Box.BEV_CENTRE]))
        return f"{boxes.num_points[row]} points at {distance:.0f} m"
    return "centre " + _numbers(values[Box.CENTRE]) + " m"


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _told_apart() -> Sequence[str]:
    """Flaws whose boxes are worth naming one by one."""
    return [flaw for flaw in FLAWS if flaw not in ("min_radius", "out_of_range_z")]


def _median_size(boxes: BoxAudit, label: int) -> list[float] | None:
    chosen = (boxes.label == label) & ~boxes.flaws["non_finite"]
    if not chosen.any():
        return None
    return [round(float(value), 3) for value in np.median(boxes.boxes[chosen][:, Box.SIZE], axis=0)]


def _text(value: object) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
