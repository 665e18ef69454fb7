"""CUDA source to machine code by NVRTC, once for each architecture, kept on disk.

A file is named after a hash of all that decides its content: source, scalar, options, architecture and the
compiler's version. So nothing has to be invalidated, and two processes that compile at once write the same file.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bev3d_ops._announce import compiling
from bev3d_ops.cuda._source import source

__all__ = ["OPTIONS", "cache_folder", "compile_cubin", "cubin"]

OPTIONS = ("--std=c++17", "--fmad=true", "-default-device")
_MAGIC = b"\x7fELF"


def cubin(unit: str, scalar: str, arch: int) -> bytes:
    """Machine code of a unit, from the disk or compiled now.

    Args:
        unit: such as ``overlap`` for ``csrc/overlap.cu``.
        scalar: ``float``, ``double``, ``half_t`` or ``bfloat_t``.
        arch: compute capability without its dot, such as 90.

    Raises:
        ImportError: cuda-bindings or NVRTC is missing.
        RuntimeError: the compiler's messages.
    """
    path = cache_folder() / f"{unit}-{scalar}-sm{arch}-{_key(unit, scalar, arch)}.cubin"
    try:
        code = path.read_bytes()
    except OSError:
        code = b""
    if _is_whole(code):
        return code[:-32]
    with compiling("kernels for this GPU"):
        code = compile_cubin(unit, scalar, arch)
    _keep(path, code + hashlib.sha256(code).digest())
    return code


def compile_cubin(unit: str, scalar: str, arch: int) -> bytes:
    """Compile now; arguments and errors as :func:`cubin`."""
    nvrtc = _nvrtc()
    options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture=sm_{arch}", f"-DSCALAR={scalar}")]
    error, program = nvrtc.nvrtcCreateProgram(source(unit).encode(), f"{unit}.cu".encode(), 0, [], [])
    _raise_for(error, "nvrtcCreateProgram")
    try:
        (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(error) != 0:
            raise RuntimeError(f"csrc/{unit}.cu for sm_{arch} does not compile:\n{_log(nvrtc, program)}")
        error, size = nvrtc.nvrtcGetCUBINSize(program)
        _raise_for(error, "nvrtcGetCUBINSize")
        code = b" " * size
        (error,) = nvrtc.nvrtcGetCUBIN(program, code)
        _raise_for(error, "nvrtcGetCUBIN")
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``BEV3D_CACHE_DIR``, or ``bev3d`` in the user's cache folder."""
    chosen = os.environ.get("BEV3D_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "bev3d" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bev3d"


def _key(unit: str, scalar: str, arch: int) -> str:
    _, major, minor = _nvrtc().nvrtcVersion()
    parts = (source(unit), scalar, str(arch), *OPTIONS, f"{major}.{minor}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _is_whole(code: bytes) -> bool:
    return code.startswith(_MAGIC) and len(code) > 32 and hashlib.sha256(code[:-32]).digest() == code[-32:]


def _keep(path: Path, code: bytes) -> None:
    """Write to the cache, whole or not at all; a folder that cannot be written costs a compilation next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)


def _nvrtc() -> Any:
    try:
        from cuda.bindings import nvrtc
    except ImportError as error:
        raise ImportError("CUDA tensors need cuda-bindings: pip install 'bev3d[cuda]'") from error
    return nvrtc


def _log(nvrtc: Any, program: Any) -> str:
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * max(size, 2)  # not the one b" " of the whole process, which a call that writes would change
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.decode(errors="replace").strip("\0 \n")


def _raise_for(error: Any, call: str) -> None:
    if int(error) != 0:
        raise RuntimeError(f"{call}: {error!r}")
