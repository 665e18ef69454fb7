"""Heading in bins: closed forms, and every angle comes back."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.boxes import wrap_angle
from bev3d.targets.coders import DirectionBins, HeadingBins, MultibinCoder

QUARTER = math.pi / 2


def test_heading_bins_by_hand() -> None:
    bins, residual = HeadingBins(12).encode(np.array([0.0, 0.3, -0.2, math.pi - 0.01, -math.pi, QUARTER, np.nan]))
    assert bins.tolist() == [0, 1, 0, 6, 6, 3, 0]
    half = math.pi / 12
    expected = [0, (0.3 - 2 * half) / half, -0.2 / half, -0.01 / half, 0, 0, np.nan]
    np.testing.assert_allclose(residual, expected, atol=1e-12)
    # PointRCNN's second stage: 9 bins from -45 to 45 degrees, those beyond in the outermost
    fine = HeadingBins(9, QUARTER)
    bins, residual = fine.encode(np.radians([-45.0, -36, 0, 44, 50, -90]))
    assert bins.tolist() == [0, 0, 4, 8, 8, 0]
    np.testing.assert_allclose(residual, [-1, 0.8, 0, 0.8, 2, -10], atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.floats(-30, 30), st.integers(1, 16), st.floats(0.1, 2 * math.pi))
def test_heading_bins_come_back(yaw: float, count: int, span: float) -> None:
    for coder in (HeadingBins(count), HeadingBins(count, span)):
        bins, residual = coder.encode(np.array(yaw))
        assert 0 <= bins < count
        back = coder.decode(bins, residual)
        assert abs(wrap_angle(np.array(back - yaw))) < 1e-9
    assert abs(HeadingBins(count).encode(np.array(yaw))[1]) <= 1 + 1e-9


@settings(max_examples=200, deadline=None)
@given(st.floats(-30, 30), st.integers(1, 16), st.floats(0, 1))
def test_multibin_comes_back_from_every_bin_that_covers(yaw: float, count: int, overlap: float) -> None:
    coder = MultibinCoder(count, overlap)
    nearest, covered, heading = coder.encode(np.array([yaw]))
    assert covered[0, nearest[0]]
    for k in np.flatnonzero(covered[0]):
        away = abs(wrap_angle(np.array(yaw - 2 * math.pi * k / count)))
        assert away <= math.pi / count * (1 + overlap) + 2e-6
    for k in range(count):
        back = coder.decode(np.eye(count)[[k]], 3.0 * heading)
        assert abs(wrap_angle(back - yaw))[0] < 1e-9
    tensors = coder.encode(torch.tensor([yaw], dtype=torch.float64))
    np.testing.assert_allclose(tensors[2].numpy(), heading, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.floats(-30, 30), st.integers(1, 8), st.floats(-4, 4), st.integers(-3, 3))
def test_direction_mends_what_the_sine_of_a_difference_lost(yaw: float, count: int, offset: float, turns: int) -> None:
    coder = DirectionBins(count, offset)
    width = 2 * math.pi / count
    if abs((yaw - offset) / width - round((yaw - offset) / width)) < 1e-6:
        return  # on the border between two bins
    bins = coder.encode(np.array([yaw]))
    back = coder.decode(np.array([yaw + turns * width]), bins)
    assert abs(wrap_angle(back - yaw))[0] < 1e-9


def test_direction_bins_by_hand() -> None:
    assert DirectionBins().encode(np.radians([0.0, 44, 46, 180, 224, 226, -90])).tolist() == [1, 1, 0, 0, 0, 1, 1]
    torch.testing.assert_close(DirectionBins().encode(torch.tensor([0.0, 3.0])), torch.tensor([1, 0]))
