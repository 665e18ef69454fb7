"""The way from tensors to the driver's launch call, with a driver that only writes down what it was given."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bev3d_ops.cuda._launch import cuda_launch

PROGRAM = """
import ctypes, json, threading
import torch
torch.cuda.get_device_capability = lambda device: (9, 0)
from bev3d_ops.cuda import _launch
_launch._stream_of = lambda device: 0x1234
value, device = torch.zeros(3), 0
args = (value, None, value, 1, -2, 3, 0.5)
_launch._bind_thread(1)  # and then another GPU in the same thread
_launch._bind_thread(0)
_launch._launch("gather.gather_cells", "float", 5, 128, device, args)
record = list((ctypes.c_uint64 * 19).in_dll(ctypes.CDLL("libcuda.so.1"), "record"))
try:
    _launch._launch("gather.gather_cells", "float", 13, 128, device, args)
    error = ""
except RuntimeError as raised:
    error = str(raised)
elsewhere = []
def launch_elsewhere(bind):
    try:
        if bind:
            _launch._bind_thread(0)
        _launch._launch("gather.gather_cells", "float", 5, 128, device, args)
        elsewhere.append("")
    except RuntimeError as raised:
        elsewhere.append(str(raised))
for bind in (False, True):
    thread = threading.Thread(target=launch_elsewhere, args=(bind,))
    thread.start()
    thread.join()
print(json.dumps({"record": record, "pointer": value.data_ptr(), "error": error, "elsewhere": elsewhere}))
"""


@pytest.fixture
def stub_driver(tmp_path: Path) -> Path:
    pytest.importorskip("cuda.bindings")
    compiler = shutil.which("g++")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the stub of the driver needs Linux and g++")
    code = Path(__file__).parents[1] / "oracles" / "stub_driver.cpp"
    subprocess.run([compiler, "-shared", "-fPIC", str(code), "-o", str(tmp_path / "libcuda.so.1")], check=True)
    return tmp_path


def test_a_launch_hands_the_driver_the_stream_the_shape_and_every_argument(stub_driver: Path) -> None:
    # compiled first, in a process of its own: the compiler looks for a whole driver
    environment = {**os.environ, "BEV3D_CACHE_DIR": str(stub_driver / "cache")}
    compile_first = "from bev3d_ops.cuda._compile import cubin; cubin('gather', 'float', 90)"
    subprocess.run([sys.executable, "-c", compile_first], env=environment, check=True, capture_output=True)
    environment["LD_LIBRARY_PATH"] = str(stub_driver)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    function, stream, grid, block, *args = seen["record"][:11]
    assert (function, stream, grid, block) == (0x33, 0x1234, 5, 128)
    half = struct.unpack("Q", struct.pack("d", 0.5))[0]
    assert args == [seen["pointer"], 0, seen["pointer"], 1, 2**64 - 2, 3, half]
    name = struct.pack("8Q", *seen["record"][11:]).split(b"\0")[0]
    assert name == b"gather_cells"
    assert "gather.gather_cells" in seen["error"]
    assert "INVALID_VALUE" in seen["error"]
    # a thread that autograd or the user started has no context of its own
    unbound, bound = seen["elsewhere"]
    assert "INVALID_CONTEXT" in unbound
    assert bound == ""


@pytest.mark.parametrize("other", [torch.zeros(2), torch.zeros(2, device="meta")], ids=["cpu", "meta"])
def test_a_tensor_that_is_not_on_the_gpu_never_reaches_a_kernel(other: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"gather\.gather_cells: expected tensors on one GPU, got (cpu|meta)"):
        cuda_launch("gather.gather_cells", torch.float32, 2, other, None, 2)
