"""More than 2^31 rows or elements: sizes of 64 bits all the way, or an error that names the argument.

No memory is taken: rows are one row that is repeated by its stride, results live on the meta device, and the
kernels' sources are read.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bev3d_ops import registered

N = 2**31 + 5
HALF = 2**16 + 3  # squared it is more than 2^32
OPS = torch.ops.bev3d
SOURCES = Path(registered.__path__[0]).parent / "csrc"
for _module in pkgutil.iter_modules(registered.__path__, f"{registered.__name__}."):
    importlib.import_module(_module.name)


def _repeated(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros((1,) * len(shape), dtype=dtype).expand(shape)


def _meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def _index(*shape: int) -> Tensor:
    return _meta(*shape, dtype=torch.int64)


BATCH = (_repeated(4, dtype=torch.int64), _repeated(N, dtype=torch.int64))
REFUSED: list[tuple[str, tuple[Any, ...], str]] = [
    *(
        (name, (_repeated(4, 3), _repeated(N, 7), *batch), "boxes")
        for name in ("points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs", "count_points_in_boxes")
        for batch in ((None, None), BATCH)
    ),
    ("submanifold_pairs", (_repeated(N, 4, dtype=torch.int32), 1, [4] * 3, [3] * 3, [1] * 3), "coordinates"),
    (
        "strided_pairs",
        (_repeated(N, 4, dtype=torch.int64), 1, [4] * 3, [2] * 3, [3] * 3, [2] * 3, [1] * 3, [1] * 3, False),
        "coordinates",
    ),
    ("nms_mask", (_repeated(N, 7), _repeated(N), None, 0.5, 0), "boxes"),
    ("scatter_max", (_repeated(N, 0), BATCH[1], 1), "features"),
]


@pytest.mark.parametrize(("name", "args", "argument"), REFUSED)
def test_rows_that_32_bits_cannot_number_are_refused(name: str, args: tuple[Any, ...], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}: expected .*got {N}"):
        getattr(OPS, name)(*args)


PAIRS = (_meta(N, dtype=torch.int32), _meta(N, dtype=torch.int32), _index(2))
RANGE, SIZE = [0.0, 0.0, 0.0, 4.0, 4.0, 4.0], [1.0, 1.0, 1.0]
SHAPES: list[tuple[str, tuple[Any, ...], list[tuple[int, ...]]]] = [
    ("corner_loss", (_meta(N, 7), _meta(N, 7), "per_box", True, True), [(N,), (N, 7), (N, 7)]),
    ("heatmap_focal_map", (_meta(2, N), _meta(2, N), 2.0, 4.0, True), [(2, N), (2, N)]),
    ("heatmap_focal_sums", (_meta(2, N), _meta(2, N), 2.0, 4.0, 2, True), [(2,), (2, N)]),
    ("gather_cells", (_meta(1, 3, N), _index(1, 7)), [(1, 7, 3)]),
    ("gather_cells", (_meta(1, 3, 7), _index(1, N)), [(1, N, 3)]),
    ("scatter_cells", (_meta(1, 7, 3), _index(1, 7), N), [(1, 3, N)]),
    ("splat_gaussians", (_index(N), _index(N, 2), _index(N), 10, HALF, HALF), [(10, HALF, HALF)]),
    ("overlap_aligned", (_meta(N, 7), _meta(N, 7), 0), [(N,)]),
    ("overlap_matched", (_meta(5, 7), _meta(5, 7), _index(N), _index(N), 1), [(N,)]),
    ("pairwise_overlap", (_meta(HALF, 7), _meta(HALF, 7), 0), [(HALF, HALF)]),
    ("batched_pairwise_overlap", (_meta(HALF, 7), _meta(HALF, 7), _index(2, 2), HALF * HALF, 0), [(HALF * HALF,)]),
    ("points_in_boxes", (_meta(N, 3), _meta(5, 7), None, None), [(N,)]),
    ("points_in_boxes_mask", (_meta(N, 3), _meta(5, 7), None, None), [(N, 5)]),
    ("scatter_sum", (_meta(N, 5), _index(N), 9), [(9, 5), (9,)]),
    ("scatter_sum", (_meta(5, 5), _index(5), N), [(N, 5), (N,)]),
    ("gather_rows", (_meta(9, 5), _index(N)), [(N, 5)]),
    ("dynamic_voxelize_fixed", (_meta(N, 4), None, RANGE, SIZE), [(N, 3), (N,), (N + 1,), (N,), (2,)]),
    ("hard_voxels_fixed", (_meta(N, 4), None, RANGE, SIZE, 9, N, 1), [(N, 9), (N, 3), (N,), (N,), (2,)]),
    ("group_points", (_meta(N, 4), _index(N, 9)), [(N, 9, 4)]),
    ("ungroup_points", (_meta(N, 9, 4), _index(N, 9), N), [(N, 4)]),
    ("sparse_conv", (_meta(9, 5), _meta(2, 1, 1, 1, 5), None, *PAIRS, N), [(N, 2)]),
    ("sparse_conv_weight_grad", (_meta(N, 5), _meta(9, 2), *PAIRS, [1, 1, 1]), [(2, 1, 1, 1, 5)]),
    ("sparse_max_pool", (_meta(9, 5), *PAIRS, N), [(N, 5), (N, 5)]),
    ("sparse_max_pool_grad", (_meta(N, 5), _meta(N, 5, dtype=torch.int32), *PAIRS, N), [(N, 5)]),
    ("splat_ellipses", (_index(N), _index(N, 2), _meta(N, 6), 1.0, 1.0, 10, HALF, HALF), [(10, HALF, HALF)]),
    (
        "transform_sweeps",
        (_meta(N, 5), _index(3), _meta(2, 4, 4, dtype=torch.float64), _meta(2, dtype=torch.float64), 4, 1.0, 1.0),
        [(N, 5), (N,)],
    ),
    ("take_slots", (_meta(N, 9, 4), _index(N)), [(N, 4)]),
]


@pytest.mark.parametrize(("name", "args", "shapes"), SHAPES, ids=[f"{i}-{row[0]}" for i, row in enumerate(SHAPES)])
def test_the_shape_of_a_large_result_is_right(name: str, args: tuple[Any, ...], shapes: list[tuple[int, ...]]) -> None:
    made = getattr(OPS, name)(*args)
    assert [tuple(value.shape) for value in (made if isinstance(made, tuple) else (made,))] == shapes


@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.cu")), ids=lambda path: path.name)
def test_a_kernel_counts_in_64_bits(source: Path) -> None:
    """No size of 32 bits comes in, and what is made of a block's number is widened before it is multiplied."""
    text = re.sub(r"//.*", "", source.read_text(encoding="utf-8"))
    signatures = re.findall(r"KERNEL void \w+\(([^)]*)\)", text)
    assert signatures
    for parameter in ", ".join(signatures).split(","):
        assert re.search(r"\*|\bi64\b|\bdouble\b", parameter), parameter
    for use in re.finditer(r"blockIdx\.x", text):
        assert re.search(r"(\(i64\)|i64 \w+ = )$", text[: use.start()]), text[use.start() - 40 : use.end() + 20]
