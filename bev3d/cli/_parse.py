"""Options from dataclasses (tyro); a command with ``--config`` has every field of the preset as a flag."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

import tyro

from bev3d._errors import ConfigError
from bev3d.config import Config, load_config

__all__ = ["parse", "parse_with_config"]

Options = TypeVar("Options")


def parse(options: type[Options], name: str, argv: list[str]) -> Options:
    """Parse ``argv`` into the dataclass ``options``; exits with 2 and a message on bad arguments."""
    return tyro.cli(options, prog=f"bev3d {name}", args=argv)


def parse_with_config(options: type[Options], name: str, argv: list[str]) -> tuple[Options, Config]:
    """Parse the options of a command, and flags that override single fields of its ``--config``.

    The preset is read first, so that ``--help`` shows its values and a flag changes only what it names.
    """
    given = _value_of(argv, "--config")
    if given is None:
        return parse(options, name, argv), _unreachable(name)  # tyro explains the missing option and exits
    preset = load_config(given)
    flat: Any = tyro.conf.OmitArgPrefixes
    fields: list[Any] = [("options", flat[options]), ("settings", flat[Config], preset)]
    joined = dataclasses.make_dataclass("Joined", fields)
    joined.__doc__ = options.__doc__
    result: Any = tyro.cli(joined, prog=f"bev3d {name}", args=argv, registry=_registry())
    return result.options, result.settings


def _registry() -> tyro.constructors.ConstructorRegistry:
    """Lets a group of classes stand on the command line as one word: ``--tasks car truck,bus``."""
    registry = tyro.constructors.ConstructorRegistry()

    @registry.primitive_rule
    def class_groups(
        info: tyro.constructors.PrimitiveTypeInfo,
    ) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
        arguments = typing.get_args(info.type)
        if typing.get_origin(info.type) is not tuple or arguments[0] != tuple[str, ...]:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs="*",
            metavar="CLASS[,CLASS...]",
            instance_from_str=lambda words: tuple(tuple(word.split(",")) for word in words),
            is_instance=lambda value: isinstance(value, tuple),
            str_from_instance=lambda value: [",".join(group) for group in value],
        )

    return registry


def _value_of(argv: list[str], flag: str) -> Path | None:
    for i, argument in enumerate(argv):
        if argument == flag and i + 1 < len(argv):
            return Path(argv[i + 1])
        if argument.startswith(flag + "="):
            return Path(argument.split("=", 1)[1])
    return None


def _unreachable(name: str) -> Config:
    raise ConfigError(f"--config: expected a preset for 'bev3d {name}', got none")
