"""Named changes of a configuration, read strictly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bev3d._errors import ConfigError
from bev3d.config import Config, config_from_mapping

__all__ = ["Variant", "read_variants"]


@dataclass(frozen=True)
class Variant:
    """A configuration that differs from the base in what its name says.

    Attributes:
        name: letters, digits, ``_``, ``-`` and ``+``; it names a folder.
        changes: settings that differ from the base.
        config: the whole configuration.
    """

    name: str
    changes: Mapping[str, Any]
    config: Config


def read_variants(path: str | Path, base: Config) -> list[Variant]:
    """Variants of a YAML file: names, each with the settings that it changes; the first is what others stand against.

    Args:
        path: a file, or the name of one that bev3d brings along under ``configs/ablations``.
        base: configuration that is changed.

    Raises:
        ConfigError: no such file, not a mapping of mappings, a bad name, an unknown setting or an impossible value; the
            text names file, variant and setting.
    """
    file = _variants_path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a YAML file, got: {error}") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{file}: expected names of variants with their settings, got {type(content).__name__}")
    return [_variant(file, name, changes, base) for name, changes in content.items()]


def _variant(file: Path, name: object, changes: object, base: Config) -> Variant:
    if not isinstance(name, str) or not name or not all(c.isalnum() or c in "_-+." for c in name) or name[0] == ".":
        raise ConfigError(f"{file}: expected names of letters, digits, '_', '-', '+' and '.', got {name!r}")
    changes = {} if changes is None else changes
    if not isinstance(changes, dict):
        raise ConfigError(f"{file}: {name}: expected settings and values, got {type(changes).__name__}")
    try:
        config = config_from_mapping({**dataclasses.asdict(base), **changes})
    except ConfigError as error:
        raise ConfigError(f"{file}: {name}: {error}") from error
    return Variant(name, changes, config)


def _variants_path(name: str | Path) -> Path:
    given = Path(name)
    if given.is_file():
        return given
    here = Path(__file__).resolve()
    folders = [here.parents[1] / "configs" / "ablations", here.parents[2] / "configs" / "ablations"]
    for folder in folders:
        file = folder / f"{given.stem}.yaml"
        if len(given.parts) == 1 and file.is_file():
            return file
    known = sorted({file.stem for folder in folders if folder.is_dir() for file in folder.glob("*.yaml")})
    raise ConfigError(f"variants: expected a YAML file or one of {', '.join(known)}, got '{name}'")
