"""The error of a setting that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from bev3d._errors import ConfigError

__all__ = ["check_by_class", "check_positive", "refuse"]


def refuse(key: str, expected: str, value: object) -> NoReturn:
    """Raise the error that names key, expectation and value."""
    raise ConfigError(f"{key}: expected {expected}, got {value}")


def check_positive(settings: object, *keys: str) -> None:
    """Raise unless each of these settings is a number > 0."""
    for key in keys:
        value = getattr(settings, key)
        if not value > 0:
            refuse(key, "a number > 0", value)


def check_by_class(
    key: str,
    values: tuple[float, ...],
    classes: int,
    what: str,
    is_good: Callable[[float], bool],
    *,
    optional: bool = False,
) -> None:
    """Raise unless ``values`` has one entry, or one for each class, or none where that is allowed, all of them good.

    Args:
        key: name of the setting.
        values: the setting.
        classes: number of classes.
        what: the entries, such as ``"numbers >= 0"``.
        is_good: whether an entry can be.
        optional: whether the setting may be empty.
    """
    sizes = {1, classes} | ({0} if optional else set())
    if len(values) not in sizes or not all(map(is_good, values)):
        refuse(key, f"{' or '.join(map(str, sorted(sizes)))} {what}", values)
