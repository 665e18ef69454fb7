"""Flat YAML presets, read strictly: every key known, present and of its type."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bev3d._errors import ConfigError
from bev3d._files import write_text
from bev3d.config._fields import Config

__all__ = ["config_from_mapping", "config_hash", "dump_config", "load_config", "preset_path"]


def load_config(path: str | Path) -> Config:
    """Read a preset; ``path`` is a file, or the name of a preset that bev3d brings along (``synthetic_nuscenes``).

    Raises:
        ConfigError: no such file or preset, not YAML, an unknown, misspelt or missing key, a wrong type or an
            impossible value; the text names file, key, expectation and value.
    """
    file = preset_path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a YAML file, got: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected keys and values, got {type(content).__name__}")
    try:
        return config_from_mapping(content)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def config_from_mapping(content: Mapping[str, Any]) -> Config:
    """Build a Config from plain values (as YAML or a checkpoint holds them); every field must be there."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    for key in content:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{key}: expected a known key, got an unknown one{hint}")
    missing = [name for name in fields if name not in content]
    if missing:
        raise ConfigError(f"{missing[0]}: expected every key to be given, {len(missing)} missing: {', '.join(missing)}")
    hints = typing.get_type_hints(Config)
    return Config(**{key: _convert(key, value, hints[key]) for key, value in content.items()})


def dump_config(config: Config, path: str | Path | None = None) -> str:
    """Flat YAML text of a Config, complete; also written to ``path`` where one is given."""
    lines = []
    for field in dataclasses.fields(config):
        value = yaml.safe_dump(_plain(getattr(config, field.name)), default_flow_style=True, width=10**6).strip()
        lines.append(f"{field.name}: {value.removesuffix('...').strip()}")
    text = "\n".join(lines) + "\n"
    if path is not None:
        write_text(path, text)
    return text


def config_hash(config: Config) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the config's values; equal for equal configs on any machine."""
    hints = typing.get_type_hints(Config)
    fields = dataclasses.fields(config)
    values = {
        field.name: _plain(_convert(field.name, getattr(config, field.name), hints[field.name])) for field in fields
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def preset_path(name: str | Path) -> Path:
    """File of a preset: a path as it is, or a name among the presets that bev3d brings along."""
    given = Path(name)
    if given.is_file():
        return given
    folders = [
        Path(__file__).resolve().parents[1] / "configs",
        Path(__file__).resolve().parents[2] / "configs",
    ]
    for folder in folders:
        candidate = folder / f"{given.stem}.yaml"
        if len(given.parts) == 1 and candidate.is_file():
            return candidate
    known = sorted({file.stem for folder in folders if folder.is_dir() for file in folder.glob("*.yaml")})
    raise ConfigError(f"config: expected a YAML file or one of the presets {', '.join(known)}, got '{name}'")


def _plain(value: Any) -> Any:
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _convert(key: str, value: Any, hint: Any) -> Any:
    """``value`` as the annotated type, without guessing: an int may stand for a float, a list for a tuple."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{key}: expected one of {', '.join(map(str, arguments))}, got {value!r}")
        return value
    if origin is tuple:
        return _convert_tuple(key, value, arguments)
    if origin in (typing.Union, types.UnionType):
        raise TypeError(f"{key}: unions are not supported in Config")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{key}: expected {hint.__name__}, got {type(value).__name__} {value!r}")
    return value


def _convert_tuple(key: str, value: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key}: expected a list, got {type(value).__name__} {value!r}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(key, entry, arguments[0]) for entry in value)
    if len(value) != len(arguments):
        raise ConfigError(f"{key}: expected {len(arguments)} entries, got {len(value)}: {value!r}")
    return tuple(_convert(key, entry, hint) for entry, hint in zip(value, arguments, strict=True))
