"""The error of a setting that cannot be."""

from __future__ import annotations

from typing import NoReturn

from bev3d._errors import ConfigError

__all__ = ["check_positive", "refuse"]


def refuse(key: str, expected: str, value: object) -> NoReturn:
    """Raise the error that names key, expectation and value."""
    raise ConfigError(f"{key}: expected {expected}, got {value}")


def check_positive(settings: object, *keys: str) -> None:
    """Raise unless each of these settings is a number > 0."""
    for key in keys:
        value = getattr(settings, key)
        if not value > 0:
            refuse(key, "a number > 0", value)
