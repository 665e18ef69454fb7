"""Drawing Gaussians: closed forms, borders, the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from oracles.host_kernels import host_launch

from bev3d.targets import draw_gaussians
from bev3d_ops.cpu import _heatmap as cpu
from bev3d_ops.cuda import _heatmap as cuda
from bev3d_ops.reference import _heatmap as reference
from bev3d_ops.registered._heatmap import splat_gaussians, splat_gaussians_


def _one(radius: int, column: int = 10, row: int = 8, shape: tuple[int, int, int] = (1, 17, 21)) -> torch.Tensor:
    arguments = torch.tensor([[column, row]]), torch.tensor([radius]), torch.tensor([0])
    return draw_gaussians(torch.zeros(shape), *arguments)


@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_values_size_and_peak(radius: int) -> None:
    heatmap = _one(radius)[0]
    sigma = (2 * radius + 1) / 6
    for row in range(17):
        for column in range(21):
            dx, dy = column - 10, row - 8
            value = math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)) if max(abs(dx), abs(dy)) <= radius else 0.0
            assert heatmap[row, column] == pytest.approx(value, rel=1e-6)
    assert heatmap[8, 10] == 1.0
    assert int((heatmap > 0).sum()) == (2 * radius + 1) ** 2


@pytest.mark.parametrize("radius", range(65))
def test_bit_equal_to_the_reference_for_every_radius(radius: int) -> None:
    cells, classes = torch.tensor([[70, 65]]), torch.tensor([0])
    expected = reference.draw_gaussians(torch.zeros(1, 131, 140), cells, torch.tensor([radius]), classes)
    assert torch.equal(_one(radius, 70, 65, (1, 131, 140)), expected)


@pytest.mark.parametrize(("column", "row"), [(0, 0), (20, 0), (0, 16), (20, 16), (1, 15)])
def test_borders_cut_the_gaussian_off(column: int, row: int) -> None:
    big = _one(4, column + 10, row + 10, (1, 37, 41))
    assert torch.equal(_one(4, column, row), big[:, 10:27, 10:31])


@pytest.mark.parametrize(("column", "row"), [(-1, 0), (0, -1), (21, 0), (0, 17), (-1, -1), (20, 17)])
def test_a_cell_outside_draws_nothing(column: int, row: int) -> None:
    assert _one(4, column, row).count_nonzero() == 0


def test_a_radius_larger_than_the_map() -> None:
    heatmap = _one(200, 3, 2, (1, 5, 7))
    assert heatmap.max() == 1.0
    assert heatmap.min() > 0.99


def test_merged_by_maximum_in_any_order_and_twice_is_once() -> None:
    generator = torch.Generator().manual_seed(0)
    cells = torch.randint(-3, 24, (60, 2), generator=generator)
    radii, classes = (torch.randint(0, high, (60,), generator=generator) for high in (7, 3))
    first = draw_gaussians(torch.zeros(3, 17, 21), cells, radii, classes)
    order = torch.randperm(60, generator=generator)
    again = draw_gaussians(first.clone(), cells[order], radii[order], classes[order])
    blank = torch.zeros(3, 17, 21)
    ones = [draw_gaussians(blank.clone(), *(v[i : i + 1] for v in (cells, radii, classes))) for i in range(60)]
    assert torch.equal(first, again)
    assert torch.equal(first, torch.stack(ones).amax(0))
    assert torch.equal(first, reference.draw_gaussians(blank, cells, radii, classes))


def test_what_is_higher_stays() -> None:
    heatmap = torch.full((1, 9, 9), 0.5)
    draw_gaussians(heatmap, torch.tensor([[4, 4]]), torch.tensor([2]), torch.tensor([0]))
    assert heatmap.min() == 0.5
    assert heatmap[0, 4, 4] == 1.0


def test_in_place_for_every_kind_of_map(device: torch.device) -> None:
    arguments = torch.tensor([[4, 3], [0, 8]]), torch.tensor([2, 1]), torch.tensor([1, 0])
    expected = draw_gaussians(torch.zeros(2, 9, 6), *arguments)
    strided = torch.zeros(9, 6, 2, device=device).permute(2, 0, 1)
    double = torch.zeros(2, 9, 6, dtype=torch.float64, device=device)
    array = np.zeros((2, 9, 6), np.float32)
    assert draw_gaussians(strided, *arguments) is strided
    assert draw_gaussians(double, *arguments) is double
    assert draw_gaussians(array, *(value.numpy() for value in arguments)) is array
    assert torch.equal(strided.cpu(), expected)
    assert torch.equal(double.float().cpu(), expected)
    assert np.array_equal(array, expected.numpy())


def test_inputs_stay_and_none_is_legal() -> None:
    cells, radii, classes = torch.tensor([[4, 3]]), torch.tensor([2], dtype=torch.int32), torch.tensor([0])
    draw_gaussians(torch.zeros(1, 9, 6), cells, radii, classes)
    assert cells.tolist() == [[4, 3]]
    assert radii.tolist() == [2]
    none = torch.zeros(0, dtype=torch.int64)
    assert draw_gaussians(torch.zeros(1, 4, 4), none.view(0, 2), none, none).count_nonzero() == 0


def _planes_and_objects(dtype: torch.dtype, seed: int) -> tuple[torch.Tensor, ...]:
    """Planes that lie transposed, with numbers below 0 and above 1; objects partly outside, of any radius."""
    rng = torch.Generator().manual_seed(seed)
    planes = torch.randn(3, 13, 21, generator=rng).to(dtype).transpose(1, 2)
    cells, plane = torch.randint(-3, 24, (40, 2), generator=rng), torch.randint(-1, 4, (40,), generator=rng)
    radii = torch.randint(-1, 8, (40,), generator=rng)
    radii[::10] = torch.tensor([2**62, 64, 65, 200])
    return planes, plane, cells, radii


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("seed", range(3))
def test_the_cuda_kernel_on_the_host_draws_on_planes_that_exist(dtype: torch.dtype, seed: int) -> None:
    planes, *objects = _planes_and_objects(dtype, seed)
    expected, actual, kernel = planes.clone(), planes.clone(), planes.clone()
    reference.splat_gaussians_(expected, *objects)
    splat_gaussians_(actual, *objects)
    cuda.splat_gaussians_(host_launch, kernel, *objects)
    assert actual.stride() == planes.stride()
    assert not torch.equal(expected, planes)
    assert torch.equal(actual, expected)
    # by the table bit for bit; beyond it, and in float64, by another library's exponential
    torch.testing.assert_close(kernel, expected, rtol=torch.finfo(dtype).eps, atol=0)
    if dtype == torch.float32:
        tabled = [value[objects[2] <= cpu.WIDEST] for value in objects]
        expected, kernel = planes.clone(), planes.clone()
        reference.splat_gaussians_(expected, *tabled)
        cuda.splat_gaussians_(host_launch, kernel, *tabled)
        assert torch.equal(kernel, expected)


def test_torch_finds_no_fault_with_drawing_in_place() -> None:
    torch.library.opcheck(splat_gaussians_, _planes_and_objects(torch.float32, 0))
    planes, *objects = _planes_and_objects(torch.float32, 0)
    expected, again = planes.clone(), planes.clone()
    splat_gaussians_(expected, *objects)
    torch.compile(lambda *values: splat_gaussians_(*values), fullgraph=True, backend="aot_eager")(again, *objects)
    assert torch.equal(again, expected)


@pytest.mark.parametrize(
    ("place", "value", "error", "text"),
    [
        (0, torch.zeros(3, dtype=torch.int32), TypeError, "plane_index: expected torch.int64, got torch.int32"),
        (1, torch.zeros(3, 3, dtype=torch.int64), ValueError, r"cells_xy: expected shape \(3, 2\), as radii"),
        (2, torch.zeros(2, dtype=torch.int64), ValueError, r"plane_index: expected shape \(2,\), as radii"),
        (2, torch.zeros(3), TypeError, "radii: expected torch.int64, got torch.float32"),
    ],
)
def test_the_operation_refuses_what_the_kernel_cannot_read(
    place: int, value: torch.Tensor, error: type[Exception], text: str
) -> None:
    index = torch.zeros(3, dtype=torch.int64)
    arguments = [index, torch.zeros(3, 2, dtype=torch.int64), index, 1, 4, 4]
    assert splat_gaussians(*arguments).sum() == 1
    arguments[place] = value
    with pytest.raises(error, match=text):
        splat_gaussians(*arguments)
    with pytest.raises(error, match=text):
        cuda.splat_gaussians(host_launch, *arguments)


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("heatmap", torch.zeros(9, 6), ValueError, r"heatmap: expected shape \(C, H, W\), got \(9, 6\)"),
        ("heatmap", torch.zeros(1, 9, 6, dtype=torch.int32), TypeError, "heatmap: expected a floating-point"),
        ("heatmap", [[0.0]], TypeError, "heatmap: expected a NumPy array or a torch tensor, got list"),
        ("cells_xy", torch.tensor([[1.5, 2.0]]), TypeError, "cells_xy: expected integers, got torch.float32"),
        ("cells_xy", torch.tensor([[1, 2, 3]]), ValueError, r"cells_xy: expected shape \(1, 2\), got \(1, 3\)"),
        ("radii", torch.tensor([-1]), ValueError, "radii: expected radii >= 0, got -1"),
        ("radii", torch.tensor([1, 2]), ValueError, r"cells_xy: expected shape \(2, 2\), got \(1, 2\)"),
        ("radii", torch.tensor([[1]]), ValueError, r"radii: expected shape \(N,\), got \(1, 1\)"),
        ("classes", torch.tensor([1]), ValueError, r"classes: expected indices in \[0, 1\), got 1 to 1"),
        ("classes", torch.tensor([-1]), ValueError, r"classes: expected indices in \[0, 1\), got -1"),
    ],
)
def test_bad_input(name: str, value: object, error: type[Exception], text: str) -> None:
    arguments = {
        "heatmap": torch.zeros(1, 9, 6),
        "cells_xy": torch.tensor([[1, 2]]),
        "radii": torch.tensor([1]),
        "classes": torch.tensor([0]),
    }
    with pytest.raises(error, match=text):
        draw_gaussians(**{**arguments, name: value})  # type: ignore[arg-type, type-var]
