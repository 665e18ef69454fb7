"""The command ``bev3d``: thin over the library, every setting a flag."""

from bev3d.cli._main import main

__all__ = ["main"]
