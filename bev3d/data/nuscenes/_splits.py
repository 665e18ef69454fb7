"""Which scenes a split consists of."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bev3d._errors import DataFormatError, require
from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = ["sample_tokens", "scene_names"]

_MINI_SPLITS = {
    "mini_train": ("0061", "0553", "0655", "0757", "0796", "1077", "1094", "1100"),
    "mini_val": ("0103", "0916"),
}
_DEVKIT_SPLITS = ("train", "val", "test", "train_detect", "train_track")


def scene_names(tables: NuScenesTables, split: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the scenes of a split, those that the tables do not hold included.

    ``mini_train`` and ``mini_val`` are known here; ``train``, ``val``, ``test``, ``train_detect`` and
    ``train_track`` are asked of the devkit; any other name is looked up in ``splits.json`` beside the tables, as the
    devkit does. A sequence is taken as the scenes' names themselves.

    Raises:
        DataFormatError: an unknown split; the text lists the known ones.
        MissingPackageError: a split whose scenes only the devkit knows, and no devkit.
    """
    if not isinstance(split, str):
        return tuple(split)
    if split in _MINI_SPLITS:
        return tuple(f"scene-{number}" for number in _MINI_SPLITS[split])
    if split in _DEVKIT_SPLITS:
        splits = require("nuscenes.utils.splits", extra="nuscenes", purpose=f"the scene list of split {split!r}")
        return tuple(splits.create_splits_scenes()[split])
    custom = _custom_splits(tables)
    if split not in custom:
        known = ", ".join((*_MINI_SPLITS, *_DEVKIT_SPLITS, *custom))
        raise DataFormatError(f"split: expected one of {known} (or a split in {_path(tables)}), got {split!r}")
    return tuple(custom[split])


def sample_tokens(tables: NuScenesTables, split: str | Sequence[str]) -> tuple[str, ...]:
    """Tokens of all samples of a split in the order of the ``sample`` table.

    A named split may list scenes that this folder lacks, as with every partial download; none at all is an error,
    and so is a scene that was asked for by its own name.

    Raises:
        DataFormatError: no scene of the split, or not every scene named, is in the tables.
    """
    names = scene_names(tables, split)
    tokens = {row["name"]: row["token"] for row in tables.rows("scene")}
    absent = [name for name in names if name not in tokens]
    if len(absent) == len(names) or (absent and not isinstance(split, str)):
        present = ", ".join(sorted(tokens)[:10])
        raise DataFormatError(
            f"{tables.path('scene')}: expected scenes of split {split!r} ({', '.join(absent[:10])}), "
            f"found {len(tokens)} scenes: {present}"
        )
    wanted = {tokens[name] for name in names if name in tokens}
    return tuple(row["token"] for row in tables.rows("sample") if row["scene_token"] in wanted)


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
