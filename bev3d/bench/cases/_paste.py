"""Objects of other scenes pasted into one."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bev3d.augment import ObjectPaste, PasteDatabase, build_database
from bev3d.bench._case import Case, Cases, Limit, ours
from bev3d.bench.cases._inputs import cloud, street
from bev3d.data import Sample

__all__ = ["CASES"]

_CLASS = "car"


class _Scenes:
    """Scenes of the same cloud with other boxes in it."""

    class_names = (_CLASS,)
    sweeps = 1

    def __init__(self, count: int, points: np.ndarray) -> None:
        self.tokens, self.points = [str(k) for k in range(count)], points

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Sample:
        """A scene of 40 cars."""
        boxes, labels, unknown = _boxes(40, index), np.zeros(40, np.int64), np.full(40, -1)
        return Sample(self.tokens[index], self.points, boxes, labels, (_CLASS,) * 40, unknown, self.class_names)

    def annotations(self, index: int) -> Sample:
        """The same without points."""
        sample = self[index]
        return replace(sample, points=sample.points[:0])


def _boxes(n: int, seed: int) -> np.ndarray:
    boxes = np.full((n, 9), np.nan)
    boxes[:, :7] = street(n, seed=seed, spread_m=30.0)
    boxes[:, 2] -= 1.0
    return boxes


def _paste(small: bool) -> Case:
    n, scenes, wanted = (2000, 2, 5) if small else (140_000, 30, 40)
    points = cloud(n)
    points[:, 4] = 0
    with tempfile.TemporaryDirectory() as folder:
        build_database(_Scenes(scenes, points[: n // 4]), Path(folder) / "objects")
        database = PasteDatabase(Path(folder) / "objects")
        database.crop(0)  # opens the points, which stay open
    into, boxes, labels = ObjectPaste(database, {_CLASS: wanted}, fill_up=False), _boxes(20, 99), np.zeros(20, np.int64)

    def run() -> int:
        return len(into(points, boxes, labels, np.random.default_rng(0)).entries)

    pasted = run()
    name = f"{pasted} objects pasted into {n:,} points"
    return Case(name, pasted, "object", {"bev3d": ours(run, read=lambda _: None)}, (Limit("bev3d", "ms", 3),))


CASES: Cases = {"paste": _paste}
