"""Labels and detections of many frames in one stretch of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.kitti import KittiLabels, read_labels
from bev3d.evaluation._match_tokens import check_listed

__all__ = ["Frames", "check_listed_once", "read_frames"]


@dataclass(frozen=True, eq=False)
class Frames:
    """F frames, one after the other.

    Attributes:
        ids: F frame ids.
        truth: ground truth without ``DontCare``; frame f owns lines ``truth_start[f]`` to ``truth_start[f + 1]``.
        regions: the ``DontCare`` lines.
        found: detections.
        truth_start: (F + 1,) int64; the other two alike.
    """

    ids: tuple[str, ...]
    truth: KittiLabels
    regions: KittiLabels
    found: KittiLabels
    truth_start: NDArray[np.int64]
    regions_start: NDArray[np.int64]
    found_start: NDArray[np.int64]


def read_frames(label_dir: Path, prediction_dir: Path, ids: Sequence[str] | None) -> Frames:
    """Read the files of the frames; without ``ids``, of every frame that has a result file.

    Raises:
        DataFormatError: a missing folder or file, no frame at all, a frame listed twice, or a malformed line.
    """
    for folder in (label_dir, prediction_dir):
        if not folder.is_dir():
            raise DataFormatError(f"{folder}: no such folder")
    if ids is None:
        ids = sorted(path.stem for path in prediction_dir.glob("*.txt"))
        if not ids:
            raise DataFormatError(f"{prediction_dir}: expected result files ID.txt, found none")
    if not ids:
        raise DataFormatError("frames: expected at least one, got none")
    check_listed_once("frames", ids)
    truth, regions, found = [], [], []
    for frame in ids:
        lines = read_labels(label_dir / f"{frame}.txt")
        truth.append(lines.select(~lines.is_dont_care))
        regions.append(lines.select(lines.is_dont_care))
        found.append(read_labels(prediction_dir / f"{frame}.txt", need_scores=True))
    (a, a_start), (b, b_start), (c, c_start) = (_join(part) for part in (truth, regions, found))
    return Frames(tuple(ids), a, b, c, a_start, b_start, c_start)


def check_listed_once(name: str, ids: Sequence[str]) -> None:
    """Raise where a frame would count twice.

    Raises:
        DataFormatError: the text names the frame.
        TypeError: one text in place of a sequence.
    """
    check_listed(name, ids)
    seen: set[str] = set()
    for frame in ids:
        if frame in seen:
            raise DataFormatError(f"{name}: expected each frame once, got {frame} twice")
        seen.add(frame)


def _join(parts: list[KittiLabels]) -> tuple[KittiLabels, NDArray[np.int64]]:
    names = tuple(name for part in parts for name in part.names)
    columns = [field.name for field in fields(KittiLabels) if field.name != "names"]
    arrays = {column: np.concatenate([getattr(part, column) for part in parts]) for column in columns}
    start = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return KittiLabels(names=names, **arrays), start
