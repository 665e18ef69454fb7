"""Which scenes a split consists of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._official import OFFICIAL_SPLITS, official_scenes

if TYPE_CHECKING:
    from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = ["sample_tokens", "scene_names", "scene_rows"]


def scene_names(tables: NuScenesTables, split: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the scenes of a split, those that the tables do not hold included.

    ``mini_train``, ``mini_val``, ``train``, ``val``, ``test``, ``train_detect`` and ``train_track`` are known here; any
    other name is looked up in ``splits.json`` beside the tables, as the devkit does. A sequence is taken as the scenes'
    names themselves.

    Raises:
        DataFormatError: an unknown split; the text lists the known ones.
    """
    if not isinstance(split, str):
        return tuple(split)
    if split in OFFICIAL_SPLITS:
        return official_scenes(split)
    custom = _custom_splits(tables)
    if split not in custom:
        known = ", ".join((*OFFICIAL_SPLITS, *custom))
        raise DataFormatError(f"split: expected one of {known} (or a split in {_path(tables)}), got {split!r}")
    return tuple(custom[split])


def scene_rows(tables: NuScenesTables, split: str | Sequence[str]) -> NDArray[np.int64]:
    """Rows of ``scene`` of a split.

    A named split may list scenes that this folder lacks, as with every partial download; none at all is an error,
    and so is a scene that was asked for by its own name.

    Raises:
        DataFormatError: no scene of the split, or not every scene named, is in the tables.
    """
    names = scene_names(tables, split)
    if not names:
        raise DataFormatError(f"split: expected at least one scene, got none from {split!r}")
    rows = {name: row for row, name in enumerate(tables.names("scene"))}
    absent = [name for name in names if name not in rows]
    if len(absent) == len(names) or (absent and not isinstance(split, str)):
        present = ", ".join(sorted(rows)[:10])
        raise DataFormatError(
            f"{tables.path('scene')}: expected {_called(split)} {', '.join(absent[:10])}, "
            f"found {len(rows)} scenes: {present}"
        )
    return np.array([rows[name] for name in names if name in rows], dtype=np.int64)


def _called(split: str | Sequence[str]) -> str:
    return f"scenes of split {split!r}:" if isinstance(split, str) else "the scenes"


def sample_tokens(tables: NuScenesTables, split: str | Sequence[str]) -> tuple[str, ...]:
    """Tokens of all samples of a split in the order of the ``sample`` table.

    Raises:
        DataFormatError: no scene of the split, or not every scene named, is in the tables; see :func:`scene_rows`.
    """
    wanted = np.zeros(len(tables.names("scene")) + 2, dtype=bool)  # -1 and -2 are no scene
    wanted[scene_rows(tables, split)] = True
    scene = tables.array("sample", "scene_token")
    chosen = tables.chosen_rows("sample")
    here = wanted[scene if chosen is None else scene[chosen]]
    return tuple(token for token, is_here in zip(tables.tokens("sample"), here.tolist(), strict=True) if is_here)


def _path(tables: NuScenesTables) -> str:
    return str(tables.folder / "splits.json")


def _custom_splits(tables: NuScenesTables) -> dict[str, list[str]]:
    path = tables.folder / "splits.json"
    if not path.is_file():
        return {}
    try:
        splits = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataFormatError(f"{path}: expected JSON, got {error}") from None
    if not isinstance(splits, dict) or not all(isinstance(names, list) for names in splits.values()):
        raise DataFormatError(f"{path}: expected an object of lists of scene names")
    return splits
