"""Label and result files of the KITTI object benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError

__all__ = ["DONT_CARE", "KITTI_CLASSES", "KittiLabels", "read_labels"]

KITTI_CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
DONT_CARE = "DontCare"

_COLUMNS = 15
_NAMES = "type truncated occluded alpha left top right bottom height width length x y z rotation_y [score]"


@dataclass(frozen=True, eq=False)
class KittiLabels:
    """Lines of one file as columns.

    Attributes:
        names: N class names; ``DontCare`` marks image regions that nobody labelled.
        truncation: (N,) 0 to 1, the part outside the image; -1 where unknown.
        occlusion: (N,) int64, 0 visible, 1 partly, 2 largely occluded, 3 unknown; -1 where not given.
        alpha: (N,) observation angle, radians; -10 where unknown.
        bbox: (N, 4) left, top, right, bottom in pixels.
        dimensions_hwl: (N, 3) height, width, length in metres; -1 for ``DontCare``.
        location: (N, 3) bottom centre in the rectified camera frame, metres.
        rotation_y: (N,) radians about the camera's y axis.
        scores: (N,) detection scores; NaN in lines without one.
    """

    names: tuple[str, ...]
    truncation: NDArray[np.float64]
    occlusion: NDArray[np.int64]
    alpha: NDArray[np.float64]
    bbox: NDArray[np.float64]
    dimensions_hwl: NDArray[np.float64]
    location: NDArray[np.float64]
    rotation_y: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> KittiLabels:
        """The lines of a mask or of indices."""
        picked = np.arange(len(self))[index]
        columns = (self.truncation, self.occlusion, self.alpha, self.bbox, self.dimensions_hwl, self.location)
        more = (self.rotation_y, self.scores)
        names = tuple(self.names[i] for i in picked)
        return KittiLabels(names, *(column[picked] for column in (*columns, *more)))

    @property
    def is_dont_care(self) -> NDArray[np.bool_]:
        """(N,) lines that are regions instead of objects."""
        return np.array([name == DONT_CARE for name in self.names], dtype=bool)


def read_labels(path: Path, *, need_scores: bool = False) -> KittiLabels:
    """A ``label_2/ID.txt`` (15 columns) or a result file (16, the last is the score); empty lines are skipped.

    Raises:
        DataFormatError: no such file; too few or too many columns, a word that is no finite number, an unknown
            class, a size that is not positive (except that of ``DontCare``). The text names file, line,
            expectation and value.
    """
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        kind = "result file; a frame in which nothing was found needs an empty one" if need_scores else "label file"
        raise DataFormatError(f"{path}: no such {kind}") from None
    names, rows = [], []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words:
            rows.append(_numbers(f"{path}:{number}", words, need_scores))
            names.append(words[0])
    table = np.array(rows, dtype=np.float64).reshape(-1, _COLUMNS)
    return KittiLabels(
        names=tuple(names),
        truncation=table[:, 0],
        occlusion=table[:, 1].astype(np.int64),
        alpha=table[:, 2],
        bbox=table[:, 3:7],
        dimensions_hwl=table[:, 7:10],
        location=table[:, 10:13],
        rotation_y=table[:, 13],
        scores=table[:, 14],
    )


def _numbers(where: str, words: list[str], need_scores: bool) -> list[float]:
    """The 14 numbers of a line and its score."""
    allowed = (_COLUMNS + 1,) if need_scores else (_COLUMNS, _COLUMNS + 1)
    if len(words) not in allowed:
        expected = " or ".join(str(count) for count in allowed)
        raise DataFormatError(f"{where}: expected {expected} columns ({_NAMES}), got {len(words)}")
    if words[0] not in KITTI_CLASSES and words[0] != DONT_CARE:
        known = ", ".join((*KITTI_CLASSES, DONT_CARE))
        raise DataFormatError(f"{where}: expected one of the classes {known}, got {words[0]!r}")
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError as error:
        raise DataFormatError(f"{where}: expected numbers after the class, {error}") from None
    if not all(map(math.isfinite, numbers)):
        bad = next(i for i, value in enumerate(numbers) if not math.isfinite(value))
        raise DataFormatError(f"{where}: expected finite numbers, got {words[bad + 1]} ({_NAMES.split()[bad + 1]})")
    if words[0] != DONT_CARE and min(numbers[7:10]) <= 0:
        raise DataFormatError(f"{where}: expected height, width, length > 0, got {' '.join(words[8:11])}")
    return numbers if len(words) == _COLUMNS + 1 else [*numbers, math.nan]
