"""Tables of nuScenes opened: the first time, from the cache, and by the devkit; a thirtieth of v1.0-trainval."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from bev3d._errors import require
from bev3d.bench._case import Case, Cases, Limit, ours, peer
from bev3d.bench._large_tables import TRAINVAL_SAMPLES, write_large_tables
from bev3d.data import NuScenesTables
from bev3d.data.nuscenes import sample_tokens
from bev3d.evaluation.nuscenes._truth import GroundTruth, read_truth

__all__ = ["CASES"]

VERSION = "v1.0-trainval"
SLICE = TRAINVAL_SAMPLES // 30
FIRST_MS, AFTER_MS = 333, 500  # a thirtieth of 10 s; 0.5 s whatever the size


@cache
def _folder(samples: int) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """Tables that live as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="bev3d_bench_")
    return folder, write_large_tables(Path(folder.name) / "data", samples=samples, scenes=max(2, samples // 40))


def _opened(root: Path, cache_folder: Path) -> np.ndarray:
    """Places of all annotations; every table has been read for them."""
    return NuScenesTables(root, VERSION, cache=cache_folder).array("sample_annotation", "translation")


def _opening(small: bool) -> Case:
    require("nuscenes", extra="nuscenes", purpose="the devkit beside ours")
    from nuscenes import NuScenes

    samples = 40 if small else SLICE
    folder, root = _folder(samples)
    kept, fresh = Path(folder.name) / "kept", Path(folder.name) / "fresh"
    truth = np.array(
        [row["translation"] for row in NuScenesTables(root, VERSION, cache=kept).rows("sample_annotation")]
    )

    def first() -> np.ndarray:
        shutil.rmtree(fresh, ignore_errors=True)
        return _opened(root, fresh)

    contestants = {
        "bev3d, first time": ours(first, threads=2),
        "bev3d": ours(lambda: _opened(root, kept)),
        "nuscenes-devkit": peer(
            lambda: NuScenes(VERSION, str(root), verbose=False).sample_annotation,
            read=lambda rows: np.array([row["translation"] for row in rows]),
        ),
    }
    limits = (
        Limit("bev3d, first time", "ms", FIRST_MS),
        Limit("bev3d", "ms", AFTER_MS),
        Limit("bev3d, first time", "times faster", 4, than="nuscenes-devkit"),
    )
    name = f"nuScenes tables of {samples:,} samples opened"
    return Case(name, samples, "sample", contestants, limits, truth, error_name="greatest difference of a place")


def _ground_truth(small: bool) -> Case:
    samples = 40 if small else SLICE
    folder, root = _folder(samples)
    kept = Path(folder.name) / "kept"

    def run() -> GroundTruth:
        tables = NuScenesTables(root, VERSION, cache=kept)
        return read_truth(tables, sample_tokens(tables, "train"))

    contestants = {"bev3d": ours(run, read=lambda truth: truth.boxes.translation)}
    tokens = len(run().tokens)
    name = f"Ground truth of {tokens:,} samples out of the cache"
    return Case(name, tokens, "sample", contestants, (Limit("bev3d", "ms", AFTER_MS),))


CASES: Cases = {"open-nuscenes-tables": _opening, "nuscenes-ground-truth": _ground_truth}
