"""The descent: its steps by hand, its schedule, and what it says of boxes that arrive, stay or leave the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lab_cases import LOSSES, TARGET, boxes, changed, made

from bev3d.lab import _study
from bev3d.lab._descend import Trace, descend, gradient, step_factor
from bev3d.overlap import iou_bev


def test_the_step_sizes_are_those_of_the_paper() -> None:
    factors = [step_factor(step, 200) for step in range(200)]
    assert factors == [1.0] * 160 + [0.1] * 20 + [0.01] * 20


def test_one_step_by_hand() -> None:
    pred, target = boxes(changed(x=0.4, y=0.1, z=0.5, l=2.5, w=0.8, h=3, yaw=0.2)), boxes(TARGET)
    loss = LOSSES["corner_huber"]  # which pulls on z and height too
    (slope,) = gradient(loss, pred, target)
    assert bool((slope != 0).all())
    iou = iou_bev(pred, target)
    moved = pred[0] - 0.05 * (2 - iou) * slope
    moved[[2, 5]] = pred[0, [2, 5]]  # seen from above
    trace = descend(loss, pred, target, rate=0.05, steps=1)
    torch.testing.assert_close(trace.final[0], moved, rtol=0, atol=1e-15)
    assert trace.curve[0, 0] == pytest.approx(1 - float(iou))
    assert trace.curve[0, 1] == pytest.approx(1 - trace.iou[0])


def test_the_rate_is_the_fastest_of_those_that_are_nearly_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares by rate: 0, 0.5, 0.98, 0.99, 1 and 1, each faster than the next."""
    good = (0, 50, 98, 99, 100, 100)
    iou = np.concatenate([np.arange(100) < count for count in good]).astype(float)
    first = np.repeat([1, 2, 3, 4, 5, 6], 100)
    nobody = np.zeros(600, dtype=bool)
    trace = Trace(boxes(TARGET), iou, first, nobody, np.zeros((1, 201)))
    monkeypatch.setattr(_study, "descend", lambda *args, **options: trace)
    pred = boxes(*[TARGET] * 100)
    groups = np.zeros(100, dtype=np.int64)
    rate, shares = _study._try_rates(LOSSES["iou"], pred, pred, _study.Plan(), "bev", groups)
    assert list(shares.values()) == [0, 0.5, 0.98, 0.99, 1, 1]
    assert rate == _study.RATES[2]


def test_a_step_by_the_logarithms_of_the_sizes() -> None:
    """For L = a ln l, dL / d ln l = a: the size is multiplied, whatever it is."""
    loss = made(lambda pred, target: 0.5 * pred[:, 3].log())
    pred = boxes(changed(x=50, l=3), changed(x=50, l=0.1))
    trace = descend(loss, pred, boxes(TARGET, TARGET), rate=0.1, steps=1, log_sizes=True)
    torch.testing.assert_close(trace.final[:, 3], pred[:, 3] * math.exp(-0.1 * 2 * 0.5))


def test_rates_and_logarithms_of_each_box_are_its_own() -> None:
    pred, target = boxes(changed(x=0.5), changed(x=0.5)), boxes(TARGET, TARGET)
    rates, logs = torch.tensor([0.01, 0.1], dtype=torch.float64), torch.tensor([True, False])
    both = descend(LOSSES["giou"], pred, target, rate=rates, steps=30, log_sizes=logs)
    for i in range(2):
        one = (slice(i, i + 1), slice(None))
        alone = descend(
            LOSSES["giou"], pred[one], target[one], rate=float(rates[i]), steps=30, log_sizes=bool(logs[i])
        )  # fmt: skip
        assert torch.equal(alone.final[0], both.final[i])


def test_in_3d_z_and_height_move_too() -> None:
    pred = boxes(changed(z=0.3, h=2))
    trace = descend(LOSSES["giou"], pred, boxes(TARGET), rate=0.1, steps=200, space="3d")
    assert trace.iou[0] > 0.95
    assert abs(float(trace.final[0, 5]) - 1) < 0.1


def test_when_a_box_was_first_good_and_when_never() -> None:
    pred = boxes(TARGET, changed(x=0.8), changed(x=50))
    trace = descend(LOSSES["iou"], pred, boxes(TARGET, TARGET, TARGET), rate=0.1, steps=40)
    assert trace.first[0] == 0
    assert 0 < trace.first[1] <= 40
    assert trace.first[2] == 41


def test_a_box_that_would_leave_the_numbers_stays_and_counts_as_lost() -> None:
    steep = made(lambda pred, target: (1000 * (pred[:, 0] - 1)).exp())
    trace = descend(steep, boxes(changed(x=2), changed(x=0.5)), boxes(TARGET, TARGET), rate=0.1, steps=20)
    assert trace.lost.tolist() == [True, False]
    assert trace.final[0].tolist() == changed(x=2)
    assert trace.final.isfinite().all()


def test_groups_have_curves_of_their_own() -> None:
    pred = boxes(changed(x=50), TARGET, changed(x=60))
    trace = descend(LOSSES["iou"], pred, pred[[1, 1, 1]], rate=0.1, steps=5, groups=np.array([1, 0, 1]))
    np.testing.assert_array_equal(trace.curve, [[0] * 6, [1] * 6])
    assert trace.part(slice(1, None)).iou.tolist() == [1, 0]
