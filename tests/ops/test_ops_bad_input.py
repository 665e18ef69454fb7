"""What no operation may do with input that does not fit: read beyond its end, or give a result as if it did.

One row for each tensor argument of each operation of the table; messages of the public functions have tests of their
own beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from oracles.op_case import OpCase, tensors
from test_ops_table import CASES, assert_same, gradients
from torch import Tensor

# whole numbers are as good as others there
ANY_NUMBERS = {
    ("heatmap_focal_map", "heatmap"),
    ("heatmap_focal_sums", "heatmap"),
    ("sparse_max_pool", "features"),
}
ERRORS = (ValueError, TypeError, IndexError, RuntimeError)


def _has_rows(case: OpCase) -> bool:
    given = [value for value in case.arguments(case.dtypes[0]) if isinstance(value, Tensor)]
    return all(value.numel() for value in given)


def _first_of_each() -> list[OpCase]:
    first: dict[str, OpCase] = {}
    for case in CASES:
        if _has_rows(case):
            first.setdefault(_name(case), case)
    return list(first.values())


def _name(case: OpCase) -> str:
    name: str = case.op._schema.name.split("::")[1]
    return name


def _places(case: OpCase) -> list[int]:
    return [i for i, value in enumerate(case.arguments(case.dtypes[0])) if isinstance(value, Tensor)]


OPS = _first_of_each()
PLACES = [
    pytest.param(case, i, id=f"{_name(case)}-{case.op._schema.arguments[i].name}")
    for case in OPS
    for i in _places(case)
]


def _with(case: OpCase, place: int, change: Callable[[Tensor], Tensor]) -> tuple[Any, ...]:
    args = list(case.arguments(case.dtypes[0]))
    args[place] = change(args[place])
    return tuple(args)


def _other_kind(value: Tensor) -> Tensor:
    return value.long() if value.is_floating_point() else value.float()


def test_the_table_has_every_operation() -> None:
    assert len(OPS) >= 38
    assert sum(len(_places(case)) for case in OPS) > 80


@pytest.mark.parametrize(("case", "place"), PLACES)
def test_a_dtype_of_another_kind_is_refused(case: OpCase, place: int) -> None:
    if (_name(case), case.op._schema.arguments[place].name) in ANY_NUMBERS:
        assert len(tensors(case.op(*_with(case, place, _other_kind)))) > 0
        return
    with pytest.raises(ERRORS, match="expected"):
        case.op(*_with(case, place, _other_kind))


@pytest.mark.parametrize(("case", "place"), PLACES)
def test_a_dimension_too_many_is_refused(case: OpCase, place: int) -> None:
    with pytest.raises(ERRORS, match="expected"):
        case.op(*_with(case, place, lambda value: value[None]))


@pytest.mark.parametrize(("case", "place"), PLACES)
@pytest.mark.parametrize("keep", [-1, 0], ids=["a row less", "no row"])
def test_fewer_rows_are_refused_or_right(case: OpCase, place: int, keep: int) -> None:
    args = _with(case, place, lambda value: value[:keep])
    made: Any = None
    refused = ""
    try:
        made = case.op(*args)
    except ERRORS as error:
        refused = str(error)
    if refused:
        assert any(argument.name in refused for argument in case.op._schema.arguments), refused
        return
    if case.reference is not None:
        assert_same(made, case.reference(*args), case, case.dtypes[0])


@pytest.mark.parametrize(("case", "place"), PLACES)
def test_strides_change_nothing(case: OpCase, place: int) -> None:
    args = _with(case, place, lambda value: torch.stack([value, value], dim=-1)[..., 0])
    assert not args[place].is_contiguous()
    plain = case.arguments(case.dtypes[0])
    assert_same(case.op(*args), case.op(*plain), replace(case, tolerances={case.dtypes[0]: (0.0, 0.0)}), case.dtypes[0])


@pytest.mark.parametrize("case", [case for case in OPS if case.differentiable], ids=_name)
def test_a_cotangent_with_strides_gives_the_same_gradient(case: OpCase) -> None:
    args = case.arguments(case.dtypes[0])
    plain = gradients(case.op, case, args)
    spread = replace(case, op=lambda *given: [_strided(value) for value in tensors(case.op(*given))])
    assert_same(gradients(spread.op, case, case.arguments(case.dtypes[0])), plain, case, case.dtypes[0])


def _strided(value: Tensor) -> Tensor:
    """The identity, whose gradient comes with strides."""
    return torch.stack([value, value.detach()], dim=-1)[..., 0] if value.requires_grad else value


@pytest.mark.parametrize(("case", "place"), PLACES)
def test_what_has_no_gradient_gives_none(case: OpCase, place: int) -> None:
    """An index cannot be tracked at all: torch refuses that. A gradient that there is not is 0, or an error."""
    value = case.arguments(case.dtypes[0])[place]
    if not value.is_floating_point():
        with pytest.raises(RuntimeError, match="floating point"):
            value.requires_grad_()
        return
    if place in case.differentiable:
        return
    args = _with(case, place, lambda value: value.clone().requires_grad_())
    for result in tensors(case.op(*args)):
        if not result.requires_grad:
            continue
        try:
            (grad,) = torch.autograd.grad(result.sum(), args[place], allow_unused=True, retain_graph=True)
        except (RuntimeError, UserWarning):  # torch's own words, which warnings as errors make one
            continue
        assert grad is None or not grad.any()


@pytest.mark.cuda
@pytest.mark.parametrize(("case", "place"), PLACES)
def test_another_device_is_refused(case: OpCase, place: int) -> None:
    if len(_places(case)) == 1:
        pytest.skip("one tensor has no other beside it")
    with pytest.raises(ERRORS):
        case.op(*_with(case, place, Tensor.cuda))


def test_factors_and_rows_that_do_not_fit_are_named() -> None:
    factors, rows = torch.ones(3), torch.ones(3, 7)
    scale = torch.ops.bev3d.overlap_scale_rows
    for given, error, match in (
        ((factors[:2], [rows]), ValueError, r"rows: expected shape \(2, 7\), got \(3, 7\)"),
        ((factors, [rows, rows[:, :6]]), ValueError, r"rows: expected shape \(3, 7\), got \(3, 6\)"),
        ((factors, [rows.double()]), TypeError, "rows: expected torch.float32, got torch.float64"),
        ((factors.int(), [rows]), TypeError, "factors: expected a floating-point dtype, got torch.int32"),
    ):
        with pytest.raises(error, match=match):
            scale(*given)
    assert scale(factors, []) == []
    assert scale(factors[:0], [rows[:0]])[0].shape == (0, 7)


def test_one_batch_without_the_other_is_refused() -> None:
    points, boxes = torch.zeros(4, 3), torch.ones(2, 7)
    with pytest.raises(ValueError, match="box_batch: expected a tensor, as the other, got None"):
        torch.ops.bev3d.points_in_boxes(points, boxes, torch.zeros(4).long(), None)
    with pytest.raises(ValueError, match="point_batch: expected a tensor, as the other, got None"):
        torch.ops.bev3d.points_in_boxes(points, boxes, None, torch.zeros(2).long())


@pytest.mark.parametrize("name", ["submanifold_pairs", "strided_pairs"])
def test_what_the_rulebook_does_not_take_is_named(name: str) -> None:
    case = next(case for case in OPS if _name(case) == name)
    for change, error, match in (
        (Tensor.float, TypeError, "coordinates: expected torch.int32 or torch.int64, got torch.float32"),
        (Tensor.short, TypeError, "coordinates: expected torch.int32 or torch.int64, got torch.int16"),
        (Tensor.flatten, ValueError, r"coordinates: expected shape \(V, 4\), got \(\d+,\)"),
        (lambda value: value[None], ValueError, r"coordinates: expected shape \(V, 4\), got \(1, \d+, 4\)"),
        (lambda value: value[:, :3], ValueError, r"coordinates: expected shape \(V, 4\), got \(\d+, 3\)"),
    ):
        with pytest.raises(error, match=match):
            case.op(*_with(case, 0, change))
