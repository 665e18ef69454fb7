"""Targets of one sample as a compressed .npz file.

``header`` is JSON text. Task t has the members ``t.heatmap_index`` (flat places that are not 0) and
``t.heatmap_value`` (float32), and, for its used slots only, ``t.cell_index``, ``t.class_index``, ``t.box_index`` and
``t.NAME`` for each regression target. ``dropped_index`` and ``dropped_reason`` list the boxes without a target. The
shapes stand in the header. Equal targets give equal bytes.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d._errors import DataFormatError
from bev3d._files import atomic_path
from bev3d.targets import Targets, TaskTargets

__all__ = ["FORMAT", "load_targets", "read_header", "save_targets"]

FORMAT = 1
_INDICES = ("cell_index", "class_index", "box_index")


def save_targets(path: str | os.PathLike[str], targets: Targets, header: Mapping[str, Any] | None = None) -> None:
    """Write the targets of one sample; the file appears whole or not at all.

    Args:
        path: ends in .npz.
        targets: of a batch of one, on any device.
        header: what else to note; JSON values.

    Raises:
        ValueError: a batch of another size, a path that does not end in .npz.
    """
    if not os.fspath(path).endswith(".npz"):
        raise ValueError(f"path: expected a name ending in .npz, got {os.fspath(path)}")
    if len(targets.dropped) != 1:
        raise ValueError(f"targets: expected a batch of 1, got {len(targets.dropped)}")
    dropped = targets.dropped[0]
    arrays: dict[str, np.ndarray] = {
        "dropped_index": np.array(list(dropped), np.int64),
        "dropped_reason": np.array(list(dropped.values()), np.str_),
    }
    shapes = []
    for t, task in enumerate(targets.to("cpu").tasks):
        arrays.update({f"{t}.{name}": array for name, array in _task_arrays(task).items()})
        sizes = {name: value.shape[-1] for name, value in task.regression.items()}
        shapes.append({"heatmap": list(task.heatmap.shape[1:]), "slots": task.mask.shape[1], "regression": sizes})
    text = json.dumps({**(header or {}), "format": FORMAT, "tasks": shapes}, allow_nan=False)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, header=np.array(text), **arrays)


def load_targets(path: str | os.PathLike[str]) -> Targets:
    """Read what :func:`save_targets` wrote: exactly the same tensors, on the CPU, a batch of one.

    Raises:
        DataFormatError: no such file, a damaged one, or one that holds something else.
    """
    with _open(path) as file:
        header = _parse_header(path, file)
        tasks = tuple(_load_task(file, t, shape) for t, shape in enumerate(header["tasks"]))
        reasons = zip(file["dropped_index"].tolist(), file["dropped_reason"].tolist(), strict=True)
        return Targets(tasks, (dict(reasons),))


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header alone.

    Raises:
        DataFormatError: as :func:`load_targets`.
    """
    with _open(path) as file:
        return _parse_header(path, file)


def _task_arrays(task: TaskTargets) -> dict[str, np.ndarray]:
    heatmap = task.heatmap[0].numpy().ravel()
    used = task.mask[0]
    count = int(used.sum())
    if not bool(used[:count].all()):
        raise ValueError("targets: expected the used slots to come first")
    places = np.flatnonzero(heatmap)
    arrays = {"heatmap_index": places, "heatmap_value": heatmap[places]}
    arrays.update({name: getattr(task, name)[0, :count].numpy() for name in _INDICES})
    arrays.update({name: value[0, :count].numpy() for name, value in task.regression.items()})
    return arrays


def _load_task(file: Mapping[str, np.ndarray], t: int, shape: Mapping[str, Any]) -> TaskTargets:
    heatmap = torch.zeros(1, *shape["heatmap"])
    heatmap.view(-1)[torch.from_numpy(file[f"{t}.heatmap_index"])] = torch.from_numpy(file[f"{t}.heatmap_value"])
    slots = shape["slots"]
    indices = {name: torch.full((1, slots), -1 if name == "box_index" else 0) for name in _INDICES}
    regression = {name: torch.zeros(1, slots, size) for name, size in shape["regression"].items()}
    for name, value in (*indices.items(), *regression.items()):
        _fill(value[0], file[f"{t}.{name}"])
    mask = (torch.arange(slots) < len(file[f"{t}.cell_index"]))[None]
    return TaskTargets(heatmap, **indices, mask=mask, regression=regression)


def _fill(slots: Tensor, values: np.ndarray) -> None:
    slots[: len(values)] = torch.from_numpy(values)


def _parse_header(path: str | os.PathLike[str], file: Mapping[str, np.ndarray]) -> dict[str, Any]:
    header = json.loads(str(file["header"]))
    if header.get("format") != FORMAT:
        raise DataFormatError(f"{path}: expected targets of format {FORMAT}, got {header.get('format')}")
    return header


@contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator[Mapping[str, np.ndarray]]:
    try:
        # opened here, since NumPy leaves a file open that turns out to be none of its own
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            yield file
    except FileNotFoundError as error:
        raise DataFormatError(f"{path}: expected a file of targets, but there is none") from error
    except DataFormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError, TypeError) as error:
        raise DataFormatError(f"{path}: expected a file of targets written by bev3d, got: {error}") from error
