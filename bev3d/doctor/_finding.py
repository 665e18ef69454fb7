"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One defect, or one thing worth knowing.

    Attributes:
        name: short and fixed, such as ``z_bottom``.
        title: a sentence.
        level: ``defect``, something to mend; ``note``, something to know.
        confidence: in [0, 1]; 1 where it is read off and not inferred.
        evidence: the numbers that it rests on.
        advice: what to do.
    """

    name: str
    title: str
    level: Literal["defect", "note"] = "defect"
    confidence: float = 1.0
    evidence: tuple[str, ...] = ()
    advice: str = ""
