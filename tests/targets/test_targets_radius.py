"""The radius rules against the published table, their quadratics, and a brute-force search."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.bench._peers import legacy_radius
from bev3d.targets import gaussian_radius
from bev3d.targets._radius import _radius as exact_radius

CELL_M = 0.6
# length, width (m), legacy, corrected radius in cells of 0.6 m at overlap 0.1
TABLE = [(4.63, 1.97, 2.11, 1.39), (11.1, 2.94, 3.83, 2.13), (0.73, 0.67, 0.50, 0.40)]
sizes = st.floats(0.05, 60.0)
overlaps = st.floats(0.05, 0.9)


def _radius(length: float, width: float, **options: object) -> float:
    values = (torch.tensor([value], dtype=torch.float64) for value in (length, width))
    return float(gaussian_radius(*values, **options)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "width", "legacy", "corrected"), TABLE)
def test_the_published_table(length: float, width: float, legacy: float, corrected: float) -> None:
    cells = length / CELL_M, width / CELL_M
    assert _radius(*cells, kind="legacy") == pytest.approx(legacy, abs=0.005)
    assert _radius(*cells) == pytest.approx(corrected, abs=0.005)


@settings(deadline=None)
@given(sizes, sizes, overlaps)
def test_legacy_is_bit_equal_to_the_loop(length: float, width: float, overlap: float) -> None:
    expected = legacy_radius(length, width, overlap)
    arrays = np.array([length]), np.array([width])
    assert float(exact_radius(*arrays, "legacy", overlap)[0]) == expected
    assert _radius(length, width, kind="legacy", min_overlap=overlap) == pytest.approx(expected, rel=1e-13)


def _overlap_of(case: int, length: float, width: float, r: float) -> float:
    """IoU of the object with itself moved, shrunk or grown by r at its corners."""
    area = length * width
    if case == 0:
        common = (length - r) * (width - r)
        return common / (2 * area - common)
    if case == 1:
        return (length - 2 * r) * (width - 2 * r) / area
    return area / ((length + 2 * r) * (width + 2 * r))


@settings(deadline=None)
@given(sizes, sizes, overlaps)
def test_cornernet_keeps_the_overlap_and_not_more(length: float, width: float, overlap: float) -> None:
    radius = _radius(length, width, min_overlap=overlap)
    kept = min(_overlap_of(case, length, width, radius) for case in range(3))
    assert kept == pytest.approx(overlap, rel=1e-6)


def test_square_root_of_the_area() -> None:
    assert _radius(8.0, 2.0, kind="sqrt_area") == pytest.approx(2.0)


def test_minimum_shapes_dtypes_and_gradient() -> None:
    length, width = torch.tensor([0.0, 1.0, 30.0]), torch.tensor([0.0, 2.0, 20.0])
    for kind in ("cornernet", "legacy", "sqrt_area"):
        radius = gaussian_radius(length, width, kind=kind, min_radius=2)
        assert radius.dtype == torch.float32
        assert radius.shape == (3,)
        assert radius[0] == 2
        assert radius[2] > 2
    assert gaussian_radius(torch.tensor(4), torch.tensor(2)).is_floating_point()
    assert gaussian_radius(torch.zeros(0), torch.zeros(0)).shape == (0,)


def test_squares_have_a_real_radius_at_any_overlap() -> None:
    side = torch.linspace(0.01, 50, 1000)
    for kind in ("cornernet", "legacy"):
        for overlap in (1e-6, 0.1, 0.999999):
            assert torch.isfinite(gaussian_radius(side, side, kind=kind, min_overlap=overlap)).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "gauss"}, r"kind: expected one of cornernet, legacy, sqrt_area, got 'gauss'"),
        ({"min_overlap": 0.0}, r"min_overlap: expected a number in \(0, 1\), got 0.0"),
        ({"min_overlap": math.nan}, r"min_overlap"),
        ({"min_radius": -1}, r"min_radius: expected a number >= 0, got -1"),
    ],
)
def test_bad_options(options: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        _radius(4.0, 2.0, **options)


def test_sizes_of_different_shapes() -> None:
    with pytest.raises(ValueError, match=r"width_cells: expected shape \(2,\), got \(3,\)"):
        gaussian_radius(torch.ones(2), torch.ones(3))
