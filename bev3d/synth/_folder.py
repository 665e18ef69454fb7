"""An output folder with a recipe: it is continued where the recipe is the same and refused where it is not."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bev3d._errors import ConfigError, UserError
from bev3d._files import write_json
from bev3d._progress import track

__all__ = ["RECIPE_FILE", "check_counts", "is_complete", "make_folders", "open_folder", "work_off", "write_array"]

RECIPE_FILE = "synth.json"

Item = TypeVar("Item")


def check_counts(seed: int, workers: int, minimum: Mapping[str, tuple[int, int]]) -> None:
    """Raise unless every value is an integer of at least its minimum.

    Args:
        seed: at least 0; workers: at least 1.
        minimum: value and smallest allowed value by argument name.

    Raises:
        ConfigError: with name, expectation and value.
    """
    for name, (value, least) in {**minimum, "seed": (seed, 0), "workers": (workers, 1)}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name}: expected an integer >= {least}, got {value!r}")


def open_folder(out: str | os.PathLike[str], recipe: Mapping[str, Any]) -> Path:
    """Make the folder, or find in it an earlier run of the same recipe.

    Raises:
        UserError: the folder holds other things, or was written by another recipe.
    """
    root = Path(out)
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: expected a folder, found a file")
    if root.is_dir() and any(root.iterdir()):
        found = _read_recipe(root)
        if found is None:
            raise UserError(f"{root}: expected a new or empty folder, found other files and no {RECIPE_FILE}")
        differ = [key for key in {**found, **recipe} if key != "complete" and found.get(key) != recipe.get(key)]
        if differ:
            text = ", ".join(f"{key} {found.get(key)!r} there, {recipe.get(key)!r} asked" for key in sorted(differ))
            raise UserError(f"{root}: holds another synthetic data set ({text}); give another folder or remove it")
        return root
    write_json(root / RECIPE_FILE, {**recipe, "complete": False})
    return root


def is_complete(root: Path) -> bool:
    """Whether the run that wrote the folder came to its end."""
    found = _read_recipe(root)
    return found is not None and found.get("complete") is True


def make_folders(root: Path, names: Sequence[str]) -> None:
    """Make folders below ``root`` and clear them of what a killed run left half written."""
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for stray in (root / name).glob(".*"):
            stray.unlink()


def work_off(work: Callable[[Item], None], items: Sequence[Item], workers: int, unit: str) -> None:
    """Call ``work`` for every item in threads (the kernels hold no GIL), with progress; an error stops the rest."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            for _ in track(pool.map(work, items), f"synthetic {unit}", total=len(items), unit=unit):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def write_array(path: Path, values: np.ndarray) -> None:
    """Write the raw bytes of an array under a temporary name, then rename: thousands of sweeps, so no fsync each."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(np.ascontiguousarray(values).data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read_recipe(root: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((root / RECIPE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{root / RECIPE_FILE}: expected the JSON of a synthetic data set, got {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{root / RECIPE_FILE}: expected a JSON object, got {type(found).__name__}")
    return found
