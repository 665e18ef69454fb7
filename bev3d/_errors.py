"""Errors that are the user's to mend: the command line prints them in one line and exits with 2."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["ConfigError", "DataFormatError", "MissingPackageError", "UserError", "require"]


class UserError(Exception):
    """Base of every error that names what the user has to change."""


class DataFormatError(UserError, ValueError):
    """A file does not hold what its format promises; the text names file, place, expectation and value."""


class ConfigError(UserError, ValueError):
    """A configuration holds an unknown key, a wrong type or an impossible value."""


class MissingPackageError(UserError, ImportError):
    """An optional package is needed and absent; the text names the extra that brings it."""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional module or say which extra brings it.

    Args:
        module: dotted module name, such as ``"nuscenes"``.
        extra: name of the extra of bev3d that installs it.
        purpose: what needs it, for the message.

    Raises:
        MissingPackageError: the module, or a system library that it loads, cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:  # OSError: a shared library that the module loads is absent
        raise MissingPackageError(_missing(module, extra, purpose, error)) from error
    except OSError as error:
        raise MissingPackageError(_missing(module, extra, purpose, error)) from error


def _missing(module: str, extra: str, purpose: str, error: BaseException) -> str:
    return f"{purpose} needs the package '{module}' ({error}); install it with: pip install 'bev3d[{extra}]'"
