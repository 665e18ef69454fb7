"""Frames for the doctor: from array files, from a data set."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d._progress import track
from bev3d.data import Dataset
from bev3d.doctor._candidates import Candidate, read_boxes
from bev3d.doctor._votes import Frame

__all__ = ["dataset_frames", "frames_from_files", "known_boxes"]

BOX_KEYS = ("boxes", "gt_boxes", "boxes_3d", "gt_bboxes_3d")
POINT_KEYS = ("points", "pointcloud", "lidar")
NAME_KEYS = ("names", "gt_names", "classes")


def frames_from_files(
    archives: Sequence[Path] = (), boxes: Sequence[Path] = (), points: Sequence[Path] = ()
) -> list[Frame]:
    """Frames from array files.

    Args:
        archives: .npz files with ``boxes`` (or ``gt_boxes``), and if there are any ``points`` and ``names``; one frame
            each.
        boxes: .npy or .npz files of boxes, one frame each.
        points: .npy, .npz or .bin files of points, as many as ``boxes`` or none. A .bin file holds float32, five a
            point where its name ends in .pcd.bin, else four.

    Raises:
        DataFormatError: no such file, a file of another kind, or arrays of other shapes; the text names the file.
    """
    if points and len(points) != len(boxes):
        raise DataFormatError(f"points: expected as many files as boxes ({len(boxes)}), got {len(points)}")
    frames = []
    for file in archives:
        content = _load(file)
        table = _pick(content, BOX_KEYS)
        if table is None:
            raise DataFormatError(f"{file}: expected an array named {' or '.join(BOX_KEYS)}, got {', '.join(content)}")
        frames.append(_frame(file, table, _pick(content, POINT_KEYS), _pick(content, NAME_KEYS)))
    for i, file in enumerate(boxes):
        table = _only(file, _load(file), BOX_KEYS)
        scan = None if not points else _points(points[i])
        frames.append(_frame(file, table, scan, None))
    return frames


def dataset_frames(dataset: Dataset, most: int) -> tuple[list[Frame], list[str]]:
    """Frames spread over a data set, and what could not be read; without scans where they are missing."""
    count = len(dataset)
    positions = np.unique(np.linspace(0, max(count - 1, 0), min(most, count)).astype(np.int64))
    frames: list[Frame] = []
    said: list[str] = []
    for position in track(positions, "frames", unit="frames"):
        try:
            sample = dataset[int(position)]
        except (DataFormatError, OSError) as error:
            said.append(str(error))
            try:
                sample = dataset.annotations(int(position))
            except (DataFormatError, OSError):
                continue
        points = sample.points if len(sample.points) else None
        known = dataset.class_names
        classes = (known[label] if label >= 0 else raw for label, raw in zip(sample.labels, sample.names, strict=True))
        frames.append(Frame(sample.boxes, points, sample.token, tuple(classes)))
    return frames, said


def known_boxes(frames: Sequence[Frame], candidate: Candidate, class_names: Sequence[str]) -> NDArray[np.float64]:
    """(N, 9) boxes of the classes in our convention; all boxes where frames do not name classes."""
    chosen = []
    for frame in frames:
        mine = [i for i, name in enumerate(frame.classes) if name in class_names]
        chosen.append(read_boxes(frame.boxes[mine] if frame.classes else frame.boxes, candidate))
    return np.concatenate(chosen)


def _frame(file: Path, boxes: NDArray, points: NDArray | None, names: NDArray | None) -> Frame:
    if boxes.ndim != 2 or boxes.dtype.kind not in "fiu" or boxes.shape[1] not in (7, 8, 9, 10):
        expected = "numbers of shape (N, 7) or (N, 9), or with one more column of labels"
        raise DataFormatError(f"{file}: expected boxes as {expected}, got {boxes.dtype} {boxes.shape}")
    if boxes.shape[1] in (8, 10):  # OpenPCDet's gt_boxes end with the class
        boxes = boxes[:, :-1]
    if points is not None and (points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "fiu"):
        expected = "points as numbers of shape (P, >= 3)"
        raise DataFormatError(f"{file}: expected {expected}, got {points.dtype} {points.shape}")
    classes = tuple(map(str, names)) if names is not None and len(names) == len(boxes) else ()
    scan = None if points is None else points.astype(np.float64)
    return Frame(boxes.astype(np.float64), scan, file.name, classes)


def _points(file: Path) -> NDArray:
    if file.suffix != ".bin":
        return _only(file, _load(file), POINT_KEYS)
    if not file.is_file():
        raise DataFormatError(f"{file}: no such file")
    columns = 5 if file.name.endswith(".pcd.bin") else 4
    if file.stat().st_size % (4 * columns):
        raise DataFormatError(
            f"{file}: expected a multiple of {4 * columns} bytes ({columns} float32 a point), got {file.stat().st_size}"
        )
    return np.fromfile(file, dtype="<f4").reshape(-1, columns)


def _load(file: Path) -> dict[str, NDArray]:
    try:
        with open(file, "rb") as stream:
            content = np.load(stream, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return {"": content}
            with content:
                return {name: content[name] for name in content.files}
    except FileNotFoundError:
        raise DataFormatError(f"{file}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataFormatError(f"{file}: expected an .npy or .npz file without Python objects, got: {error}") from error


def _pick(content: Mapping[str, NDArray], keys: Sequence[str]) -> NDArray | None:
    return next((content[key] for key in keys if key in content), None)


def _only(file: Path, content: Mapping[str, NDArray], keys: Sequence[str]) -> NDArray:
    """The array of an .npy file, or of an .npz file the one with a known name or the only one."""
    picked = _pick(content, keys)
    if picked is None and len(content) == 1:
        picked = next(iter(content.values()))
    if picked is None:
        raise DataFormatError(f"{file}: expected an array named {' or '.join(keys)}, got {', '.join(content)}")
    return picked
