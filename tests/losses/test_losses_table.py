"""Every loss against an independent source, and through every edge that losses meet in training.

A file of ``cases`` holds the rows of one family; a new loss is one row.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.loss_case import HALVES, Arguments, LossCase
from torch import Tensor

FOLDER = Path(__file__).parent / "cases"


def _load(path: Path) -> list[LossCase]:
    spec = importlib.util.spec_from_file_location(f"loss_cases_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.CASES)


CASES = [case for path in sorted(FOLDER.glob("*.py")) for case in _load(path)]
every_loss = pytest.mark.parametrize("case", CASES, ids=str)


def some(what: str) -> Any:
    """The rows for which an attribute is set."""
    return pytest.mark.parametrize("case", [case for case in CASES if getattr(case, what)], ids=str)


def tracked(case: LossCase, args: Arguments) -> Arguments:
    return tuple(a.detach().requires_grad_() if i in case.differentiable else a for i, a in enumerate(args))


def gradients(case: LossCase, loss: Tensor, args: Arguments) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss.sum(), [args[i] for i in case.differentiable])


def assert_all_finite(case: LossCase, args: Arguments) -> None:
    args = tracked(case, args)
    loss = case(*args)
    assert loss.isfinite().all()
    for grad in gradients(case, loss, args):
        assert grad.isfinite().all()


@some("reference")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_equals_its_source(case: LossCase, dtype: torch.dtype, device: torch.device) -> None:
    assert case.reference is not None
    assert case.source
    for seed in range(3):
        args = case.arguments(dtype, seed)
        expected = case.reference(*args)
        actual = case(*(a.to(device) if isinstance(a, Tensor) else a for a in args))
        assert actual.dtype == dtype
        assert actual.shape == expected.shape
        assert expected.abs().sum() > 0, "a loss of nothing but 0 proves nothing"
        torch.testing.assert_close(actual.cpu(), expected.to(dtype), **case.tolerance(dtype))


@pytest.mark.parametrize("case", [case for case in CASES if not case.constant_weights], ids=str)
def test_gradient_equals_finite_differences(case: LossCase) -> None:
    make = case.smooth_inputs or case.inputs
    args = tracked(case, make(torch.Generator().manual_seed(1), torch.float64))
    assert torch.autograd.gradcheck(lambda *values: case(*values), args, eps=1e-6, atol=1e-6, rtol=1e-5)


@every_loss
def test_reductions_and_module_agree_with_the_map(case: LossCase) -> None:
    args = case.arguments(torch.float64)
    loss = case(*args)
    torch.testing.assert_close(case(*args, reduction="sum"), loss.sum(), rtol=1e-12, atol=1e-12)
    mean = case(*args, reduction="mean")
    assert mean.ndim == 0
    with pytest.raises(ValueError, match=r"reduction.*average"):
        case(*args, reduction="average")
    if case.has_module_weight:
        module = case.module()
        torch.testing.assert_close(module(*args), mean, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(module(*args, avg_factor=5.0), loss.sum() / 5, rtol=1e-12, atol=1e-12)
        half = torch.tensor(0.5, dtype=torch.float64)
        torch.testing.assert_close(module(*args, weight=half), mean / 2, rtol=1e-12, atol=1e-12)
        with pytest.raises(ValueError, match="weight"):
            module(*args, weight=torch.ones(*loss.shape, 3, 2))
    else:
        torch.testing.assert_close(case.module()(*args), mean, rtol=1e-12, atol=1e-12)


@every_loss
def test_without_entries_it_is_zero_with_its_graph(case: LossCase) -> None:
    args = case.without_entries(torch.float32)
    if args is None:
        return
    args = tracked(case, args)
    for reduction in ("sum", "mean"):
        loss = case(*args, reduction=reduction)
        assert loss.item() == 0
        assert loss.requires_grad


@some("nothing_counts")
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=["float32", "float16", "bfloat16"])
def test_where_nothing_counts_it_is_zero_with_its_graph(case: LossCase, dtype: torch.dtype) -> None:
    assert case.nothing_counts is not None
    args = tracked(case, case.nothing_counts(torch.Generator().manual_seed(0), dtype))
    loss = case(*args, reduction="mean")
    assert loss.item() == 0
    assert loss.requires_grad
    for grad in gradients(case, loss, args):
        assert (grad == 0).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=["float32", "float16", "bfloat16"])
def test_ordinary_input_gives_finite_results_in_every_precision(case: LossCase, dtype: torch.dtype) -> None:
    args = case.arguments(dtype)
    assert case(*args).dtype == torch.float32, "half precision is computed, and returned, as float32"
    assert_all_finite(case, args)


@some("logits")
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("extreme", ["positive", "negative", "both", "zero"])
def test_extreme_logits_give_finite_results(case: LossCase, dtype: torch.dtype, extreme: str) -> None:
    prediction, *rest = case.arguments(dtype)
    signs = torch.ones_like(prediction, dtype=torch.float32)
    if extreme == "both":
        signs = torch.where(torch.rand(prediction.shape, generator=torch.Generator().manual_seed(2)) < 0.5, 1.0, -1.0)
    size = {"positive": 1e4, "negative": -1e4, "both": 1e4, "zero": 0.0}[extreme]
    assert_all_finite(case, ((signs * size).to(dtype), *rest))


@some("optimum")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_at_its_optimum_it_rests(case: LossCase, dtype: torch.dtype) -> None:
    assert case.optimum is not None
    args = tracked(case, case.optimum(torch.Generator().manual_seed(0), dtype))
    loss = case(*args)
    bound = 1e-5 if dtype == torch.float32 else 1e-10
    assert (loss - case.minimum).abs().max() <= bound
    for grad in gradients(case, loss, args):
        assert grad.abs().max() <= bound


@every_loss
def test_the_layout_in_memory_does_not_matter(case: LossCase) -> None:
    args = case.arguments(torch.float64)
    strided = tuple(_strided(a) if isinstance(a, Tensor) and a.ndim else a for a in args)
    assert any(not a.is_contiguous() for a in strided if isinstance(a, Tensor))
    torch.testing.assert_close(case(*strided), case(*args), rtol=1e-12, atol=1e-12)


@every_loss
def test_inputs_are_not_changed(case: LossCase) -> None:
    args = case.arguments(torch.float64)
    before = [a.clone() if isinstance(a, Tensor) else a for a in args]
    case(*args)
    for one, other in zip(args, before, strict=True):
        if isinstance(one, Tensor):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@every_loss
def test_integer_predictions_are_refused(case: LossCase) -> None:
    prediction, *rest = case.arguments(torch.float32)
    with pytest.raises(TypeError, match=r"floating.*int64|float.*int64"):
        case(torch.zeros_like(prediction, dtype=torch.int64), *rest)


@some("compiles")
def test_compiles_into_one_graph(case: LossCase) -> None:
    args = tracked(case, case.arguments(torch.float64))
    torch._dynamo.reset()
    compiled = torch.compile(lambda *values: case(*values, reduction="sum"), fullgraph=True, backend="aot_eager")
    actual, expected = compiled(*args), case(*args, reduction="sum")
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    for one, other in zip(gradients(case, actual, args), gradients(case, expected, args), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@every_loss
def test_under_autocast_it_computes_in_float32(case: LossCase, device: torch.device) -> None:
    args = tuple(a.to(device) if isinstance(a, Tensor) else a for a in case.arguments(torch.float32))
    with torch.autocast(device.type, dtype=torch.bfloat16):
        loss = case(*args)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, case(*args), rtol=1e-6, atol=1e-6)


def _strided(value: Tensor) -> Tensor:
    """The same values, every second entry of a larger tensor."""
    wide = torch.zeros(*value.shape, 2, dtype=value.dtype)
    wide[..., 0] = value
    return wide[..., 0]
