"""What a first call says while kernels are compiled, and that later ones say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bev3d_ops import _announce

KERNEL = """
import numpy as np, sys
from bev3d_ops.cpu._prepare import is_box
def work():
    assert not is_box(np.zeros((1, 7)), 0, 7)
"""
FIRST = "bev3d: compiling kernels for this processor"


def stderr_of(script: str, cache: Path, **environment: str) -> list[str]:
    """Lines of a new process; Numba's own cache folder, so that what is compiled is known."""
    clean = {name: value for name, value in os.environ.items() if name != "BEV3D_QUIET"}
    done = subprocess.run(
        [sys.executable, "-c", KERNEL + script],
        env={**clean, "NUMBA_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_the_first_call_tells_and_the_cache_is_silent(tmp_path: Path) -> None:
    first = stderr_of("work()", tmp_path)
    assert len(first) == 2
    assert first[0].startswith(FIRST)
    assert "1 function compiled so far, in" in first[1]
    assert stderr_of("work()", tmp_path) == []


def test_it_can_be_switched_off_and_knows_whose_kernel_it_is(tmp_path: Path) -> None:
    assert stderr_of("work()", tmp_path, BEV3D_QUIET="1") == []
    assert stderr_of("import numba; numba.njit(lambda x: x + 1)(1)", tmp_path) == []


@pytest.mark.parametrize("loss", ["sys.stderr.close()", "sys.stderr = None", "import os; os.close(2)"])
def test_no_stderr_is_no_error(tmp_path: Path, loss: str) -> None:
    assert stderr_of(f"{loss}\nwork()", tmp_path) == []


@pytest.mark.parametrize(
    ("method", "name", "lines"), [("fork", "Worker-1", 1), ("fork", "Worker-2", 0), ("spawn", "Worker-1", 2)]
)
def test_of_many_workers_the_first_speaks(tmp_path: Path, method: str, name: str, lines: int) -> None:
    """A forked worker ends without the interpreter's exit, hence without the total."""
    if method == "fork" and sys.platform != "linux":
        pytest.skip("no fork")
    script = f"""
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    worker = context.Process(target=exec, args=({KERNEL + "work()"!r}, {{}}), name={name!r})
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""
    told = stderr_of(script, tmp_path)
    assert len(told) == lines
    assert all(line.startswith(FIRST) for line in told[:1])


@pytest.mark.usefixtures("fresh")
def test_an_end_without_a_beginning_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    _announce._end()
    assert _announce._burst.depth == 0
    assert capsys.readouterr().err == ""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_announce, "_announced", {"something else"})
    monkeypatch.setattr(_announce, "_total", {"functions": 0, "seconds": 0.0, "seconds told": 0.0})
    monkeypatch.setattr(_announce, "_SECONDS_WORTH_A_LINE", 0.0)
    monkeypatch.delenv("BEV3D_QUIET", raising=False)


@pytest.mark.usefixtures("fresh")
def test_nested_compilations_end_with_one_total(capsys: pytest.CaptureFixture[str]) -> None:
    with _announce.compiling("kernels for this GPU"), _announce.compiling("kernels for this GPU"):
        pass
    start, total = capsys.readouterr().err.splitlines()
    assert start.startswith("bev3d: compiling kernels for this GPU; this happens once")
    assert total.startswith("bev3d: 2 functions compiled so far")


@pytest.mark.usefixtures("fresh")
def test_a_compilation_that_fails_ends_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), _announce.compiling("kernels for this GPU"):
        raise ZeroDivisionError
    assert _announce._burst.depth == 0
    with _announce.compiling("kernels for this GPU"):
        pass
    assert len(capsys.readouterr().err.splitlines()) == 3
