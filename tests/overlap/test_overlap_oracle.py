"""The oracle itself, against 60-digit arithmetic and against GEOS."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.affinity
from oracles import adversarial, exact_overlap


def test_there_are_26_sets_of_2000_pairs() -> None:
    assert len(adversarial.SETS) == 26
    for name in adversarial.SETS:
        a, b = adversarial.pairs(name)
        assert a.shape == b.shape == (2000, 7)
        assert np.isfinite(a).all()
        assert np.isfinite(b).all()


@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_agrees_with_60_digits(name: str) -> None:
    a, b = adversarial.pairs(name)
    for i in range(0, 2000, 200):
        exact = float(exact_overlap.iou_bev(a[i], b[i], precise=True))
        assert exact_overlap.iou_bev(a[i], b[i]) == pytest.approx(exact, abs=5e-13)


def test_closed_forms() -> None:
    square = [0, 0, 0, 2, 2, 2, 0]
    assert exact_overlap.intersection(square, [1, 1, 1, 2, 2, 2, 0]) == 1
    assert exact_overlap.iou_bev(square, [1, 1, 1, 2, 2, 2, 0]) == pytest.approx(1 / 7, abs=1e-15)
    assert exact_overlap.iou_3d(square, [1, 1, 1, 2, 2, 2, 0]) == pytest.approx(1 / 15, abs=1e-15)
    # a square on its point in one of the same size leaves a regular octagon
    octagon = 8 * (np.sqrt(2) - 1)
    assert exact_overlap.intersection(square, [0, 0, 0, 2, 2, 2, np.pi / 4]) == pytest.approx(octagon, abs=1e-14)
    assert exact_overlap.intersection(square, [5, 0, 0, 2, 2, 2, 1]) == 0


def test_agrees_with_geos_near_the_origin() -> None:
    a, b = adversarial.pairs("jitter")
    for p, q in zip(a[:300], b[:300], strict=True):
        one = _polygon(np.zeros(2), p)
        other = _polygon(q[:2] - p[:2], q)
        assert exact_overlap.intersection(p, q) == pytest.approx(one.intersection(other).area, rel=1e-10, abs=1e-10)


def _polygon(centre: np.ndarray, box: np.ndarray) -> shapely.Polygon:
    flat = shapely.box(-box[3] / 2, -box[4] / 2, box[3] / 2, box[4] / 2)
    turned = shapely.affinity.rotate(flat, box[6], origin=(0, 0), use_radians=True)
    return shapely.affinity.translate(turned, *centre)
