"""Readings of columns against the converters, and the ground under a scan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.boxes import Box
from bev3d.boxes.convert import to_centerpoint, to_mmdet3d, to_openpcdet, to_second
from bev3d.doctor import Candidate, candidates_for, read_boxes
from bev3d.doctor._candidates import AS_GIVEN
from bev3d.doctor._ground import Ground
from bev3d.points import count_points_in_boxes


def random_boxes(seed: int, count: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(0.3, 6, (count, 9))
    boxes[:, :3] = rng.uniform(-30, 30, (count, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, count)
    boxes[:, 7:] = rng.normal(0, 4, (count, 2))
    return boxes


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_published_systems_are_read_as_the_converters_do(seed: int) -> None:
    boxes = random_boxes(seed)
    wlh = (1, 0, 2)
    for raw, candidate in (
        (to_openpcdet(boxes), AS_GIVEN),
        (to_mmdet3d(boxes), Candidate(bottom=True)),
        (to_second(boxes), Candidate(order=wlh, sign=-1, quarter=3, bottom=True)),
        (to_centerpoint(boxes), Candidate("yaw_last", order=wlh, sign=-1, quarter=3)),
    ):
        np.testing.assert_allclose(read_boxes(raw, candidate), boxes, atol=1e-9)
        assert candidate.complexity < 1.5


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_readings_of_one_geometry_hold_the_same_points(seed: int) -> None:
    """Else one count would stand for readings that differ."""
    raw = random_boxes(seed, 6)
    points = np.random.default_rng(seed).uniform(-32, 32, (4000, 3))
    points[:3000] = raw[np.arange(3000) % 6, :3] + np.random.default_rng(seed).normal(0, 1.5, (3000, 3))
    known: dict[tuple[object, ...], np.ndarray] = {}
    for candidate in candidates_for(9):
        # of the camera and mirrored layouts each has a geometry of its own
        counts = count_points_in_boxes(points, np.ascontiguousarray(read_boxes(raw, candidate)[:, :7]))
        first = known.setdefault(candidate.geometry, counts)
        assert np.abs(first - counts).max() <= 1  # a quarter turn may round a border point to the other side
    assert len(known) < len(candidates_for(9)) / 3


@pytest.mark.parametrize("columns", [7, 9])
def test_the_array_as_it_is_comes_first_and_all_differ(columns: int) -> None:
    found = candidates_for(columns)
    assert found[0] == AS_GIVEN
    assert len(set(found)) == len(found)
    assert AS_GIVEN.defects == ()
    assert all(candidate.defects for candidate in found[1:])
    assert all(candidate.describe() for candidate in found)


def test_the_ground_on_a_slope_with_a_wall_and_reflections_below() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-40, 40, (2, 40000))
    road = np.stack([x, y, 0.04 * x - 1.7 + rng.normal(0, 0.02, 40000)], axis=1)
    wall = np.stack([rng.uniform(-40, 40, 8000), np.full(8000, 10.0), rng.uniform(-1.5, 3, 8000)], axis=1)
    below = np.stack([*rng.uniform(-40, 40, (2, 60)), np.full(60, -6.0)], axis=1)
    # a roof of 6 m that hides the road under it
    roof = np.stack([*rng.uniform(17, 23, (2, 4000)), np.full(4000, 1.6)], axis=1)
    road = road[~((road[:, :2] > 17) & (road[:, :2] < 23)).all(axis=1)]
    points = np.concatenate([road, wall, below, roof, np.full((5, 3), np.nan)])
    ground = Ground(points)
    at = rng.uniform(-38, 38, (500, 2))
    at[0] = 20.0
    error = ground.height(at[:, 0], at[:, 1]) - (0.04 * at[:, 0] - 1.7)
    assert np.abs(error).max() < 0.25
    objects = ground.above(points, 0.3)
    assert len(objects) < 12100
    assert (objects[:, Box.Y] > 9.9).mean() > 0.97
    assert np.isnan(ground.height(np.array([500.0, np.nan]), np.array([0.0, 0.0]))).all()
    assert np.isnan(Ground(np.zeros((0, 3))).height(np.zeros(1), np.zeros(1))).all()
