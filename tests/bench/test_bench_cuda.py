"""The benchmark of a GPU, tried on the CPU: its cases, limits and section; without a GPU it says so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bev3d import UserError
from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench._cuda_race import CudaTiming, Stopwatch, cuda_race
from bev3d.bench._limits import judge
from bev3d.bench.cases._inputs import cloud, heaps, pairs, street
from bev3d.bench.cuda import run_cuda
from bev3d.bench.cuda_cases import WITHOUT_GRAPH, cuda_cases
from bev3d.bench.usual._cuda import SOURCE, kept_of_mask
from bev3d.bench.usual._loops import points_loop
from bev3d.bench.usual._nms import usual_nms
from bev3d.bench.usual._overlap import aligned_usual, pairwise_usual
from bev3d.cli import main

ABSENT = ("rich", "tyro", "matplotlib", "shapely", "powerboxes", "cv2", "open3d", "nuscenes")


@pytest.mark.slow
def test_every_case_of_a_gpu_runs(tmp_path: Path) -> None:
    section = run_cuda(tmp_path, quick=True, device="cpu")
    assert not section["skipped"]
    assert [case["key"] for case in section["cases"]] == list(cuda_cases())
    for case in section["cases"]:
        for timing in case["timings"]:
            assert timing["failure"] is None, timing
            assert timing["host_us"] > 0
            assert not timing["ours"] or timing["error"] is None or timing["error"] <= 1e-3
    numbers = json.loads((tmp_path / "benchmarks.json").read_text())
    assert list(numbers) == ["cuda tried on a CPU"]
    page = (tmp_path / "benchmarks.md").read_text()
    assert "### What was asked of the GPU" in page
    assert "device alone" in page


def test_few_packages_are_needed() -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ABSENT)
    code = (
        f"import sys; {blocked}; from bev3d.bench.cuda_cases import cuda_cases; import bev3d.bench.cuda; cuda_cases()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--device", "cuda", "--out", str(tmp_path)]) == 2
    assert "expected an NVIDIA GPU that torch can use, found none" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(UserError, match="repeats: expected at least 2, got 1"):
        run_cuda(None, repeats=1, device="cpu")
    with pytest.raises(UserError, match="only: expected a case or a part of its name, got 'nothing'"):
        run_cuda(None, only=("nothing",), device="cpu")
    assert set(cuda_cases()) > WITHOUT_GRAPH


def test_failures_are_listed() -> None:
    def fails() -> None:
        raise RuntimeError("no luck")

    case = Case("c", 1, "call", {"ours": ours(lambda: np.ones(2)), "gone": peer(fails)}, truth=np.zeros(2))
    rows = cuda_race(case, Stopwatch("cpu"), 2)
    assert [row.error for row in rows] == [1.0, None]
    assert rows[1].failure == "RuntimeError: no luck"
    assert rows[0].device_ms is None


@pytest.mark.parametrize(
    ("limit", "measured", "met"),
    [
        (Limit("a", "times the floor", 2.0, than="floor"), 1.5, True),
        (Limit("a", "times the floor", 1.4, than="floor"), 1.5, False),
        (Limit("a", "share of copying", 0.8), 0.5, False),
        (Limit("a", "µs of the host", 15.0), 12.0, True),
        (Limit("waits", "times the floor", 2.0, than="floor"), None, False),
    ],
)
def test_limits_of_a_device(limit: Limit, measured: float | None, met: bool) -> None:
    def row(name: str, device_ms: float | None) -> CudaTiming:
        times = {"median_ms": 9.0, "device_ms": device_ms, "host_us": 12.0}
        return CudaTiming("case", name, 1, True, **times)  # type: ignore[arg-type]

    case = Case("case", 1, "pair", {}, (limit,), moved_bytes=3_000_000)
    (verdict,) = judge(case, [row("a", 3e-3), row("floor", 2e-3), row("waits", None)], copy_rate=2000.0)
    assert verdict.measured == (None if measured is None else pytest.approx(measured))
    assert verdict.met is met


# one thread after the other
SHIM = """
#include <cmath>
#define __global__
#define __device__
struct Three { int x, y, z; };
static Three blockIdx, blockDim = {1, 1, 1}, threadIdx;
"""


@pytest.fixture(scope="module")
def usual_kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual kernels as a library of the host."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    text = SOURCE.read_text()
    library = tmp_path_factory.mktemp("usual") / "usual.so"
    loops = ""
    for name, arguments in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', text):
        names = ", ".join(argument.split()[-1] for argument in arguments.split(","))
        loops += f"""extern "C" void each_{name}(int width, int height, {arguments}) {{
            for (blockIdx.x = 0; blockIdx.x < width; ++blockIdx.x)
                for (blockIdx.y = 0; blockIdx.y < height; ++blockIdx.y) {name}({names});
        }}\n"""
    command = [compiler, "-O2", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)]
    subprocess.run(command, input=SHIM + text + loops, text=True, check=True)
    return library


def test_usual_kernels_on_the_host(usual_kernels: Path) -> None:
    import ctypes

    library = ctypes.CDLL(str(usual_kernels))

    def call(name: str, width: int, height: int, *arguments: np.ndarray | int | float) -> None:
        values = [
            value.ctypes.data_as(ctypes.c_void_p) if isinstance(value, np.ndarray) else value for value in arguments
        ]
        floats = [ctypes.c_double(value) if isinstance(value, float) else value for value in values]
        getattr(library, f"each_{name}")(width, height, *floats)

    a, b = (np.ascontiguousarray(boxes, np.float32) for boxes in pairs(60))
    out = np.empty(60, np.float32)
    call("usual_aligned", 60, 1, a, b, out, 60)
    assert np.abs(out - aligned_usual(a, b, 1e-2)).max() <= 1e-3
    matrix = np.empty((60, 50), np.float32)
    call("usual_matrix", 50, 60, a, b, matrix, 60, 50)
    assert np.abs(matrix - pairwise_usual(a, b[:50], 1e-2)).max() <= 1e-3
    boxes, scores = heaps(300)
    order = np.argsort(-scores, kind="stable")
    ranked, mask = np.ascontiguousarray(boxes[order], np.float32), np.empty((300, 5), np.int64)
    call("usual_mask", 5, 300, ranked, mask, 300, 5, 0.2)
    kept = order[kept_of_mask(mask)]
    assert kept.tolist() == usual_nms(boxes.astype(np.float32), scores, 0.2, 1e-2).tolist()
    points, some = cloud(500), street(20, spread_m=15).astype(np.float32)
    owner = np.empty(500, np.int32)
    call("usual_points", 500, 1, points, some, owner, 500, 20, 5)
    assert np.array_equal(owner, points_loop(points, some))
