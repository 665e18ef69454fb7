"""The whole library in a few minutes on a CPU, without any data."""

from bev3d.demo._run import run_demo

__all__ = ["run_demo"]
