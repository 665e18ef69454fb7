"""Every CUDA unit becomes machine code for every target, within its registers and without local memory.

A kernel that grows past its budget runs fewer warps at once, and one that spills waits for memory: neither shows
in a result. Not run, only compiled: no GPU is needed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bev3d_ops.cuda import _compile
from bev3d_ops.cuda._source import CSRC, source, units

NVCC = shutil.which("nvcc")

TARGETS = {"float": (75, 80, 86, 89, 90, 100, 120), "double": (75, 90, 120)}
SHIPPED = (("float", 75), ("half_t", 90), ("double", 120))  # a sample, compiled as on a user's machine

# registers in float and in double; 64 let 1,024 threads run on a multiprocessor, 128 let 512
REGISTERS = (72, 72)
REGISTERS_OF = {
    "overlap_aligned.overlap": (64, 112),
    "overlap_aligned.overlap_gradient": (104, 168),  # 14 derivatives beside the 14 columns they belong to
    "overlap_pairwise.pairwise_overlap": (64, 104),
    "overlap_pairwise.batched_pairwise_overlap": (64, 104),
    # in double whatever the type: the list of kept boxes is exact
    "nms.find_owners": (128, 128),
    "nms.meet_each_other": (128, 128),
    "nms.meet_kept": (128, 128),
    "corner.huber_sum": (72, 112),
    "corner.per_box": (72, 128),
    "corner.per_corner": (72, 128),
}
# Bytes of local memory. The device's own sine and cosine have a table there, read for angles of many turns only.
STACK_OF_UNIT = {"corner": 40, "points": 40}


@dataclass(frozen=True)
class Usage:
    """What ptxas says of one kernel."""

    kernel: str
    arch: int
    registers: int
    stack: int
    spilled: int


_ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)\w*'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")


def usages(log: str) -> list[Usage]:
    """One for each kernel and architecture of the compiler's log."""
    found = []
    for part in re.split(r"(?=Compiling entry function)", log)[1:]:
        entry, stacks, registers = _ENTRY.match(part), _STACK.findall(part), _REGISTERS.search(part)
        assert entry is not None, part
        assert registers is not None, part
        # functions that were not inlined have lines of their own
        stack, spilled = max(int(s[0]) for s in stacks), sum(int(s[1]) + int(s[2]) for s in stacks)
        found.append(Usage(entry[1], int(entry[2]), int(registers[1]), stack, spilled))
    return found


def assert_in_budget(unit: str, scalar: str, archs: tuple[int, ...], log: str) -> None:
    found = usages(log)
    names = {usage.kernel for usage in found}
    assert names
    assert sorted((usage.kernel, usage.arch) for usage in found) == sorted((k, arch) for k in names for arch in archs)
    for usage in found:
        limit = REGISTERS_OF.get(f"{unit}.{usage.kernel}", REGISTERS)[scalar == "double"]
        assert usage.registers <= limit, usage
        assert usage.stack <= STACK_OF_UNIT.get(unit, 0), usage
        assert usage.spilled == 0, usage


def test_budgets_are_of_kernels_that_exist() -> None:
    for kernel in REGISTERS_OF:
        unit, name = kernel.split(".")
        assert re.search(rf"\b{name}\b", source(unit)), kernel
    assert set(STACK_OF_UNIT) <= set(units())


@pytest.mark.slow
@pytest.mark.parametrize("scalar", ["float", "double"])
@pytest.mark.parametrize("unit", units())
def test_nvcc_keeps_every_target_in_budget(unit: str, scalar: str, tmp_path: Path) -> None:
    if NVCC is None:
        pytest.skip("no nvcc on the path")
    front = {86: 80, 89: 80}  # one pass of the front end serves all of a generation
    targets = [f"-gencode=arch=compute_{front.get(arch, arch)},code=sm_{arch}" for arch in TARGETS[scalar]]
    options = ["-std=c++17", "-fatbin", "-Xptxas", "-v", f"-DSCALAR={scalar}", *targets]
    command = [NVCC, *options, str(CSRC / f"{unit}.cu"), "-o", str(tmp_path / "unit.fatbin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "warning" not in log, log
    assert_in_budget(unit, scalar, TARGETS[scalar], log)


class LogKeeper:
    """NVRTC, and what it said of the last program."""

    log = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(nvrtc(), name)

    def nvrtcDestroyProgram(self, program: Any) -> None:
        self.log = _compile._log(nvrtc(), program)
        nvrtc().nvrtcDestroyProgram(program)


def nvrtc() -> Any:
    """NVRTC, or a skip."""
    module = pytest.importorskip("cuda.bindings.nvrtc", reason="no cuda-bindings")
    try:
        module.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"no NVRTC: {error}")
    return module


@pytest.mark.parametrize("unit", units())
def test_nvrtc_compiles_what_is_shipped_in_budget(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = LogKeeper()
    monkeypatch.setattr(_compile, "_nvrtc", lambda: keeper)
    monkeypatch.setattr(_compile, "OPTIONS", (*_compile.OPTIONS, "--ptxas-options=-v"))
    for scalar, arch in SHIPPED:
        code = _compile.compile_cubin(unit, scalar, arch)
        assert code.startswith(b"\x7fELF")
        assert "warning" not in keeper.log, keeper.log
        assert_in_budget(unit, scalar, (arch,), keeper.log)
        for usage in usages(keeper.log):
            assert f".text.{usage.kernel}".encode() in code


def test_a_log_is_read_as_it_is_meant() -> None:
    log = """ptxas info    : Compiling entry function 'two' for 'sm_100a'
ptxas info    : Function properties for two
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 704 bytes smem
ptxas info    : Function properties for slow_path
    40 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Compiling entry function 'one' for 'sm_75'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 7 registers"""
    assert usages(log) == [Usage("two", 100, 40, 40, 12), Usage("one", 75, 7, 0, 0)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and NVRTC."""
    nvrtc()
    monkeypatch.setenv("BEV3D_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("BEV3D_QUIET", "1")
    return tmp_path / "cache"


def refuse(*args: object) -> bytes:
    raise AssertionError("compiled again")


def test_the_second_call_reads_the_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _compile.cubin("gather", "float", 75)
    assert [path.name.split("-")[:3] for path in cache.iterdir()] == [["gather", "float", "sm75"]]
    monkeypatch.setattr(_compile, "compile_cubin", refuse)
    assert _compile.cubin("gather", "float", 75) == first
    for other in (("gather", "double", 75), ("gather", "float", 90), ("scatter", "float", 75)):
        with pytest.raises(AssertionError, match="compiled again"):
            _compile.cubin(*other)


def test_another_source_or_compiler_is_another_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _compile.cubin("gather", "float", 75)
    text = source("gather")
    with monkeypatch.context() as patch:
        patch.setattr(_compile, "source", lambda unit: text + "\n// another word")
        _compile.cubin("gather", "float", 75)
    with monkeypatch.context() as patch:
        patch.setattr(_compile, "OPTIONS", (*_compile.OPTIONS, "--use_fast_math"))
        _compile.cubin("gather", "float", 75)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "damage", [lambda code: b"", lambda code: code[:-7], lambda code: code[:99] + b"?" + code[100:]]
)
def test_a_damaged_file_is_compiled_again(cache: Path, damage) -> None:  # type: ignore[no-untyped-def]
    first = _compile.cubin("gather", "float", 75)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert _compile.cubin("gather", "float", 75) == first
    assert path.read_bytes() == whole
    assert list(cache.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_costs_a_compilation_each_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("not a folder")
    calls = []
    monkeypatch.setattr(_compile, "compile_cubin", lambda *args: calls.append(args) or b"\x7fELF and so on")
    assert _compile.cubin("gather", "float", 75) == _compile.cubin("gather", "float", 75) == b"\x7fELF and so on"
    assert calls == [("gather", "float", 75)] * 2
    assert cache.read_text() == "not a folder"


def test_a_source_that_does_not_compile_says_where(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compile, "source", lambda unit: "this is no CUDA")
    with pytest.raises(RuntimeError, match=r"csrc/gather.cu for sm_75 does not compile:\n.*gather.cu\(1\): error"):
        _compile.cubin("gather", "float", 75)
    assert not cache.exists()


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEV3D_CACHE_DIR", str(tmp_path))
    assert _compile.cache_folder() == tmp_path
    monkeypatch.delenv("BEV3D_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert _compile.cache_folder() == tmp_path / "x" / "bev3d"
