"""A diagnosis as table and JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import bev3d
from bev3d._files import write_json
from bev3d.doctor._candidates import Candidate
from bev3d.doctor._evidence import Reading
from bev3d.doctor._finding import Finding

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Diagnosis"]

FORMAT = 1


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        frames, boxes, points: how many were looked at.
        convention: how the boxes have to be read, in words; empty where none were given.
        candidate: the same as columns, signs and units; None without boxes.
        confidence: share of resamples of the boxes in which no other reading does better.
        findings: defects and notes.
        readings: the reading that is taken first, and others to compare it with.
    """

    frames: int
    boxes: int
    points: int
    convention: str
    candidate: Candidate | None
    confidence: float
    findings: tuple[Finding, ...]
    readings: tuple[Reading, ...]

    @property
    def defects(self) -> tuple[Finding, ...]:
        """The findings that are to be mended."""
        return tuple(finding for finding in self.findings if finding.level == "defect")

    def adding(self, findings: Sequence[Finding]) -> Diagnosis:
        """The same with more findings."""
        return replace(self, findings=(*self.findings, *findings))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"format": FORMAT, "bev3d": bev3d.__version__, "sound": not self.defects, **asdict(self)}

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_dict`."""
        write_json(path, self.to_dict())

    def lines(self) -> list[str]:
        """The findings as text, defects first."""
        said = []
        if self.convention:
            seen = f"{self.boxes:,} boxes and {self.points:,} points of {self.frames} frames"
            said.append(f"{seen}, reading: {self.convention} (confidence {self.confidence:.2f})")
        told: tuple[str, ...] = ()
        for finding in sorted(self.findings, key=lambda finding: finding.level != "defect"):
            sure = f" (confidence {finding.confidence:.2f})" if finding.confidence < 1 else ""
            said.append(f"{finding.level} {finding.name}: {finding.title}{sure}")
            if finding.evidence != told:  # two defects of one reading rest on the same numbers
                said += [f"    {text}" for text in finding.evidence]
                told = finding.evidence
            if finding.advice:
                said.append(f"    to do: {finding.advice}")
        if not self.defects:
            said.append("no defect found")
        return said

    def table(self) -> Table | None:
        """The readings side by side; None where there are none."""
        from rich.table import Table

        if not self.readings:
            return None
        table = Table()
        numbers = ("votes", "points inside", "boxes hit", "tight", "density", "bottom m", "motion", "shape", "unit")
        heads = ("reading", *numbers)
        for i, head in enumerate(heads):
            table.add_column(head, justify="right" if i else "left", overflow="fold", min_width=None if i else 30)
        for reading in self.readings:
            kinds = (reading.votes.get(kind) for kind in ("motion", "shape", "unit"))
            cells = (
                f"{reading.score:.3f}",
                _whole(reading.points_inside),
                _whole(reading.boxes_with_points),
                _share(reading.tightness),
                "–" if reading.density_ratio is None else f"{reading.density_ratio:.1f}",
                "–" if reading.bottom_m is None else f"{reading.bottom_m:+.2f}",
                *map(_share, kinds),
            )
            table.add_row(reading.text, *cells)
        return table


def _whole(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
