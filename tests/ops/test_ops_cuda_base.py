"""What the CUDA kernels share: half precision without CUDA's headers, packing of arguments, sources."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.host_kernels import host_launch

from bev3d_ops.cuda import _source
from bev3d_ops.cuda._launch import launch_shape, pack_arguments
from bev3d_ops.cuda._source import scalar_name, source, units

PROBE = """
#include "common.cuh"
KERNEL void widen(const scalar_t* in, float* out, i64 count) { FOR_EACH(i, count) out[i] = to_real(in[i]); }
KERNEL void narrow(const float* in, scalar_t* out, i64 count) {
    FOR_EACH(i, count) out[i] = from_real<scalar_t>(in[i]);
}
"""


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "common.cuh").write_text((_source.CSRC / "common.cuh").read_text())
    (tmp_path / "probe.cu").write_text(PROBE)
    monkeypatch.setattr(_source, "CSRC", tmp_path)


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_half_becomes_the_float_that_torch_says(dtype: torch.dtype) -> None:
    halves = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(dtype)
    out = torch.empty(len(halves))
    host_launch("probe.widen", dtype, len(halves), halves, out, len(halves))
    torch.testing.assert_close(out, halves.float(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_floats_are_rounded_to_halves_as_torch_rounds(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    # near the halves: half-way cases, the ends of the range, subnormals
    near = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(dtype).float().numpy().view(np.uint32)
    ties = near + np.uint32(0x1000 if dtype == torch.float16 else 0x8000)
    floats = torch.from_numpy(np.concatenate([bits, near, ties, ties - 1, ties + 1]).view(np.float32).copy())
    out = torch.empty(len(floats), dtype=dtype)
    host_launch("probe.narrow", dtype, len(floats), floats, out, len(floats))
    expected = floats.to(dtype)
    assert torch.equal(out.isnan(), expected.isnan())
    good = ~expected.isnan()
    assert torch.equal(out[good].view(torch.int16), expected[good].view(torch.int16))


def test_arguments_take_eight_bytes_each() -> None:
    value = torch.zeros(3)
    packed, size = pack_arguments((value, None, -5, 0.25))
    assert size == len(packed) == 32
    assert struct.unpack("=QQqd", packed) == (value.data_ptr(), 0, -5, 0.25)


def test_a_strided_tensor_is_refused_by_the_launcher() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        pack_arguments((torch.zeros(4, 4).t()[:, :2],))


def test_the_grid_covers_every_item_and_has_a_limit() -> None:
    assert launch_shape(1, 256, 0) == 1
    assert launch_shape(257, 256, 0) == 2
    assert launch_shape(1 << 50, 256, 0) == 2**31 - 1
    assert launch_shape(5, 256, 7) == 7


def test_a_source_holds_each_header_once_and_includes_nothing_else_of_ours() -> None:
    assert "gather" in units()
    for unit in units():
        text = source(unit)
        assert text.count("typedef long long i64;") == 1
        assert '#include "' not in text


def test_an_unknown_type_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match=r"float32.*got torch.int8"):
        scalar_name(torch.int8)
