"""Starts are what they are called; errors, summaries, maps and agreement on boxes that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lab_cases import LOSSES, TARGET, boxes, changed, made

from bev3d.lab._descend import Trace
from bev3d.lab._fields import REACH_PLACE, pull_share
from bev3d.lab._measure import agreement, box_errors, error_map, summary
from bev3d.lab._starts import KINDS, make_starts, make_starts_3d
from bev3d.overlap import iou_bev

STARTS = make_starts(300, 2, seed=3, spacing=0.5)


def of_kind(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.from_numpy(STARTS.kind == list(KINDS).index(kind))
    return STARTS.pred[chosen], STARTS.target[chosen]


def test_every_target_has_area_one_and_stands_at_the_origin() -> None:
    torch.testing.assert_close(STARTS.target[:, 3] * STARTS.target[:, 4], torch.ones(len(STARTS.target)).double())
    assert not STARTS.target[:, [0, 1, 2, 6]].any()


def test_kinds_are_what_they_are_called() -> None:
    overlap = {kind: iou_bev(*of_kind(kind)) for kind in KINDS}
    assert float(overlap["near"].min()) > 0.1
    assert float(overlap["apart"].max()) == 0
    area = of_kind("wrong size")[0][:, 3:5].prod(dim=1)
    assert float(torch.maximum(area, 1 / area).min()) > 2.99
    assert 0.3 < float((area > 1).double().mean()) < 0.7
    pred, target = of_kind("wrong ratio")
    change = (pred[:, 3] / pred[:, 4]) / (target[:, 3] / target[:, 4])
    assert float(torch.maximum(change, 1 / change).min()) > 2.49
    yaw = box_errors(*of_kind("wrong yaw"))
    assert yaw["yaw"].min() > math.radians(44.9)
    assert 0.3 < (yaw["heading"] > math.pi / 2).mean() < 0.7
    torch.testing.assert_close(of_kind("square")[1][:, 3], of_kind("square")[1][:, 4])


def test_the_grid_of_offsets_is_a_disc_and_its_cells_are_named() -> None:
    pred, _ = of_kind("anywhere")
    cell = STARTS.cell[STARTS.kind == 0]
    np.testing.assert_allclose((cell - STARTS.columns // 2) * 0.5, pred[:, :2].numpy())
    assert float(pred[:, :2].norm(dim=1).max()) == 3
    assert (STARTS.cell[STARTS.kind > 0] == -1).all()


def test_a_seed_gives_the_same_starts_and_another_others() -> None:
    assert torch.equal(make_starts(5, 1, 7).pred, make_starts(5, 1, 7).pred)
    assert not torch.equal(make_starts(5, 1, 7).pred, make_starts(5, 1, 8).pred)
    assert torch.equal(make_starts_3d(5, 7)[0], make_starts_3d(5, 7)[0])
    volume = make_starts_3d(5, 7)[1][:, 3:6].prod(dim=1)
    torch.testing.assert_close(volume, torch.ones(5).double())


def test_errors_of_a_box_that_is_off() -> None:
    pred = boxes(changed(x=3, y=4, l=4, w=0.25, yaw=math.pi - 0.1), changed(w=-1))
    errors = box_errors(pred, boxes(TARGET, TARGET))
    assert errors["centre"].tolist() == [5, 0]
    assert errors["size"].tolist() == pytest.approx([math.log(4), math.inf])
    assert errors["yaw"][0] == pytest.approx(0.1)
    assert errors["heading"][0] == pytest.approx(math.pi - 0.1)


def trace_of(final: torch.Tensor, first: list[int], steps: int = 9) -> tuple[Trace, torch.Tensor]:
    target = boxes(*[TARGET] * len(final))
    iou = iou_bev(final, target).numpy()
    return Trace(final, iou, np.array(first), np.zeros(len(final), bool), np.zeros((1, steps + 1))), target


def test_a_summary_counts_who_came_who_never_did_and_who_came_wrongly() -> None:
    swapped = changed(l=1, w=2, yaw=math.pi / 2)
    final = boxes(TARGET, changed(yaw=math.pi), swapped, changed(x=9), changed(x=9))
    figures = summary(*trace_of(final, [2, 4, 7, 10, 3]))
    assert figures["starts"] == 5
    assert figures["reached"] == 0.6
    assert figures["steps"] == 4
    assert figures["never"] == 0.2  # the last one was there, and left
    assert figures["sides_swapped"] == pytest.approx(1 / 3)
    assert figures["backwards"] == pytest.approx(1 / 3)
    assert figures["far"] == pytest.approx(0.4)
    assert figures["size"] == 0  # the swapped one is the same rectangle


def test_nobody_arriving_leaves_no_median() -> None:
    figures = summary(*trace_of(boxes(changed(x=9, l=-1)), [10]))
    assert figures["reached"] == 0
    assert figures["steps"] is figures["sides_swapped"] is figures["size"] is None


def test_a_map_is_the_mean_over_the_starts_of_an_offset() -> None:
    trace, _ = trace_of(boxes(TARGET, changed(x=9), changed(x=9), TARGET), [0, 10, 10, 0])
    cell = np.array([[0, 1], [0, 1], [1, 0], [-1, -1]])
    assert error_map(trace, cell, 2) == [[None, 1.0], [pytest.approx(0.5), None]]


def test_agreement_is_one_where_the_loss_orders_as_iou_does() -> None:
    pred, target = of_kind("near")
    assert agreement(LOSSES["iou"], pred, target) == pytest.approx(1)
    assert agreement(LOSSES["log_iou"], pred, target) == pytest.approx(1)
    assert agreement(made(iou_bev), pred, target) == pytest.approx(-1)
    blind = made(lambda pred, target: (1e4 * pred[:, 0]).sin())
    assert abs(agreement(blind, pred, target)) < 0.2


def test_shares_of_a_field_that_is_known() -> None:
    at = np.linspace(-REACH_PLACE, REACH_PLACE, 5)
    place = np.stack(np.meshgrid(at, at), axis=-1)
    assert pull_share(-place, REACH_PLACE) == {"weak": 0, "away": 0}
    assert pull_share(place, REACH_PLACE) == {"weak": 0, "away": 1}
    assert pull_share(0 * place, REACH_PLACE) == {"weak": 1, "away": 0}
