"""Time the kernels beside shapely, plain NumPy and plain torch, in one run; write a table and the numbers.

Every contestant of a case gets the same boxes and has to give the same answer before it is timed. The contestants
take turns, so that a change of the machine's load meets all of them; the table gives median and quartiles.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from bev3d._files import write_json, write_text
from bev3d.boxes import corners_bev
from bev3d.nms import nms_bev, nms_circle
from bev3d.overlap import iou_3d, iou_bev, pairwise_iou_3d, pairwise_iou_bev
from bev3d.points import points_in_boxes
from bev3d_ops.reference import _overlap as reference

Contestants = dict[str, Callable[[], Any]]
LARGEST_SLOW = 2  # runs of a contestant that takes more than a second


@dataclass(frozen=True)
class Timing:
    """One contestant in one case."""

    case: str
    contestant: str
    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float
    runs: int
    items: int
    unit: str


def main() -> None:
    """Run every case; ``--help`` names the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each contestant")
    parser.add_argument("--threads", type=int, default=1, help="threads that the kernels and torch may use")
    parser.add_argument("--table", type=Path, default=Path("docs/benchmarks.md"), help="where the table goes")
    parser.add_argument("--json", type=Path, default=Path("docs/benchmarks.json"), help="where the numbers go")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = [_matrix, _aligned, _aligned_warm, _gradient, _nms, _circle, _points]
    timings = []
    for case in cases:
        name, items, unit, contestants = case()
        print(name, file=sys.stderr)
        timings += _race(name, items, unit, contestants, arguments.repeats)
    machine = _machine(arguments.threads)
    write_json(arguments.json, {"machine": machine, "timings": [asdict(timing) for timing in timings]})
    table = _table(timings)
    write_text(arguments.table, _page(machine, table))
    print(table)


def _race(name: str, items: int, unit: str, contestants: Contestants, repeats: int) -> list[Timing]:
    times: dict[str, list[float]] = {contestant: [] for contestant in contestants}
    for function in contestants.values():
        function()  # compiles, fills caches
    for _ in range(repeats):
        for contestant, function in contestants.items():
            done = times[contestant]
            if len(done) >= LARGEST_SLOW and min(done) > 1000:
                continue
            start = time.perf_counter()
            function()
            done.append((time.perf_counter() - start) * 1e3)
    rows = []
    for contestant, done in times.items():
        low, middle, high = statistics.quantiles(done, n=4, method="inclusive")
        rows.append(Timing(name, contestant, middle, low, high, len(done), items, unit))
    return rows


def _boxes(rng: np.random.Generator, n: int, spread: float = 50.0) -> np.ndarray:
    boxes = np.empty((n, 7))
    boxes[:, :2] = rng.uniform(-spread, spread, (n, 2))
    boxes[:, 2] = rng.normal(0, 0.5, n)
    boxes[:, 3:6] = rng.uniform([3, 1.5, 1.2], [6, 2.5, 2], (n, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, n)
    return boxes


def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    a = _boxes(rng, n)
    b = a + rng.normal(0, 0.3, a.shape)
    b[:, 3:6] = np.abs(b[:, 3:6]) + 0.1
    return a, b


def _polygons(boxes: np.ndarray) -> Any:
    import shapely

    return shapely.polygons(corners_bev(boxes))


def _shapely_iou(a: Any, b: Any) -> np.ndarray:
    import shapely

    both = shapely.area(shapely.intersection(a, b))
    return both / (shapely.area(a) + shapely.area(b) - both)


def _shapely_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Only pairs that a tree of bounding boxes finds, as one would do it."""
    import shapely

    one, other = _polygons(a), _polygons(b)
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    result = np.zeros((len(a), len(b)))
    result[i, j] = _shapely_iou(one[i], other[j])
    return result


def _same(*values: Any, limit: float = 1e-9) -> None:
    first = np.asarray(values[0], dtype=np.float64)
    for value in values[1:]:
        if not np.abs(np.asarray(value, dtype=np.float64) - first).max() <= limit:
            raise RuntimeError("the contestants do not agree")


def _matrix() -> tuple[str, int, str, Contestants]:
    rng = np.random.default_rng(0)
    a, b = _boxes(rng, 1000), _boxes(rng, 1000)
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    ta, tb = torch.from_numpy(a)[:, None], torch.from_numpy(b)[None]
    contestants: Contestants = {
        "bev3d, float64": lambda: pairwise_iou_bev(a, b),
        "bev3d, float32": lambda: pairwise_iou_bev(a32, b32),
        "bev3d, float64, 3D": lambda: pairwise_iou_3d(a, b),
        "shapely with its tree": lambda: _shapely_matrix(a, b),
        "plain torch": lambda: reference.aligned_iou_bev(ta, tb),
    }
    _same(pairwise_iou_bev(a, b), _shapely_matrix(a, b), reference.aligned_iou_bev(ta, tb))
    return "IoU matrix, 1000 x 1000, boxes over 100 m", 1_000_000, "pair", contestants


def _aligned() -> tuple[str, int, str, Contestants]:
    a, b = _pairs(50_000)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    fa, fb = ta.float(), tb.float()
    one, other = _polygons(a), _polygons(b)
    contestants: Contestants = {
        "bev3d, float64": lambda: iou_bev(ta, tb),
        "bev3d, float32": lambda: iou_bev(fa, fb),
        "bev3d, float64, 3D": lambda: iou_3d(ta, tb),
        "plain torch": lambda: reference.aligned_iou_bev(ta, tb),
        "shapely, polygons ready": lambda: _shapely_iou(one, other),
    }
    _same(iou_bev(ta, tb), _shapely_iou(one, other), reference.aligned_iou_bev(ta, tb))
    return "IoU of aligned pairs, 50,000", 50_000, "pair", contestants


def _aligned_warm() -> tuple[str, int, str, Contestants]:
    a, b = (torch.from_numpy(boxes) for boxes in _pairs(50_000))
    return "IoU of aligned pairs, 50,000, in a loop alone", 50_000, "pair", {"bev3d, float64": lambda: iou_bev(a, b)}


def _gradient() -> tuple[str, int, str, Contestants]:
    a, b = (torch.from_numpy(boxes).requires_grad_() for boxes in _pairs(20_000))

    def run() -> None:
        torch.autograd.grad(iou_3d(a, b).sum(), (a, b))

    return "3D IoU and both gradients, 20,000 pairs", 20_000, "pair", {"bev3d (plain torch, closed form)": run}


def _clusters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    boxes = _boxes(rng, 200)[rng.integers(0, 200, 4092)] + rng.normal(0, 0.15, (4092, 7))
    return boxes, rng.random(4092)


def _greedy(goes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    alive = np.ones(len(scores), bool)
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if alive[i]:
            kept.append(i)
            alive &= ~goes[i]
    return np.array(kept)


def _nms() -> tuple[str, int, str, Contestants]:
    boxes, scores = _clusters()
    contestants: Contestants = {
        "bev3d": lambda: nms_bev(boxes, scores, 0.2),
        "bev3d matrix, NumPy loop": lambda: _greedy(pairwise_iou_bev(boxes, boxes) > 0.2, scores),
        "shapely matrix, NumPy loop": lambda: _greedy(_shapely_matrix(boxes, boxes) > 0.2, scores),
    }
    _same(*(function() for function in contestants.values()))
    return "NMS by rotated IoU, 4,092 boxes in 200 heaps", 4092, "box", contestants


def _circle() -> tuple[str, int, str, Contestants]:
    boxes, scores = _clusters()

    def plain() -> np.ndarray:
        x, y = boxes[:, 0], boxes[:, 1]
        return _greedy((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 <= 1.0, scores)

    contestants: Contestants = {"bev3d": lambda: nms_circle(boxes, scores, 1.0), "NumPy": plain}
    _same(*(function() for function in contestants.values()))
    return "NMS by distance, 4,092 boxes in 200 heaps", 4092, "box", contestants


def _points() -> tuple[str, int, str, Contestants]:
    rng = np.random.default_rng(3)
    boxes = _boxes(rng, 100).astype(np.float32)
    points = np.empty((200_000, 3), np.float32)
    points[:, :2], points[:, 2] = rng.uniform(-50, 50, (200_000, 2)), rng.normal(0, 1, 200_000)
    swept = np.ascontiguousarray(points[np.argsort(np.arctan2(points[:, 1], points[:, 0]))])
    wide = points.astype(np.float64)

    def plain() -> np.ndarray:
        owner = np.full(len(wide), -1)
        for j, (x, y, z, length, width, height, yaw) in reversed(list(enumerate(boxes.astype(np.float64)))):
            dx, dy, c, s = wide[:, 0] - x, wide[:, 1] - y, np.cos(yaw), np.sin(yaw)
            inside = (np.abs(dx * c + dy * s) <= length / 2) & (np.abs(dy * c - dx * s) <= width / 2)
            owner[inside & (np.abs(wide[:, 2] - z) <= height / 2)] = j
        return owner

    contestants: Contestants = {
        "bev3d, points in random order": lambda: points_in_boxes(points, boxes),
        "bev3d, points by azimuth": lambda: points_in_boxes(swept, boxes),
        "NumPy, loop over boxes": plain,
    }
    _same(points_in_boxes(points, boxes), plain())
    return "Points in boxes, 200,000 x 100", 20_000_000, "test", contestants


def _machine(threads: int) -> dict[str, Any]:
    import shapely

    versions = {module.__name__: module.__version__ for module in (np, torch, numba, shapely)}
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "geos": shapely.geos_version_string,
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _table(timings: list[Timing]) -> str:
    rows = ["| case | contestant | median | quartiles | each |", "|---|---|---|---|---|"]
    for timing in timings:
        each = timing.median_ms * 1e6 / timing.items
        quartiles = f"{timing.lower_quartile_ms:.2f} to {timing.upper_quartile_ms:.2f} ms"
        name = f"{each:,.1f} ns a {timing.unit}"
        rows.append(f"| {timing.case} | {timing.contestant} | {timing.median_ms:.2f} ms | {quartiles} | {name} |")
    return "\n".join(rows)


def _page(machine: dict[str, Any], table: str) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    return f"""# Benchmarks

Written by `python tools/benchmark.py`; the numbers are in `benchmarks.json`. Contestants of a case get the same boxes,
have to give the same answer before they are timed, and take turns. The first call, which compiles, is not timed.

Machine: {facts}.

Taking turns empties the caches between runs, as other work would; a case with one contestant keeps them warm. A shared
machine is noisy: where the load average exceeds the cores, the quartiles say more than the median, and only the ratios
between contestants of one case carry over. Nothing here was measured on a GPU.

{table}

What to read from it: plain torch is what runs where a gradient is tracked, and on a GPU; it allocates some sixty
temporaries and is far from the compiled kernel. Shapely answers the same on these boxes, but see the oracle's tests
for pairs that share edges.
"""


if __name__ == "__main__":
    main()
