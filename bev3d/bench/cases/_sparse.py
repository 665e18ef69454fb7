"""Sparse convolution."""

from __future__ import annotations

from bev3d.bench._case import Cases

__all__ = ["CASES"]

CASES: Cases = {}
