"""Every operation on every backend that this machine has, against its reference; and under torch's own checks.

A file of ``cases`` holds the rows of one group of operations.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.host_kernels import host_launch
from oracles.op_case import OpCase, tensors
from torch import Tensor

FOLDER = Path(__file__).parent / "cases"
OPCHECK = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def _load(path: Path) -> list[OpCase]:
    spec = importlib.util.spec_from_file_location(f"op_cases_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.CASES)


CASES = [case for path in sorted(FOLDER.glob("*.py")) for case in _load(path)]
TYPED = [pytest.param(case, dtype, id=f"{case}-{str(dtype)[6:]}") for case in CASES for dtype in case.dtypes]
DIFFERENTIABLE = [p for p in TYPED if p.values[0].differentiable]  # type: ignore[union-attr]
WITH_REFERENCE = [p for p in TYPED if p.values[0].reference]  # type: ignore[union-attr]
WITH_KERNEL = [p for p in TYPED if p.values[0].host]  # type: ignore[union-attr]


def assert_same(actual: Any, expected: Any, case: OpCase, dtype: torch.dtype) -> None:
    actual, expected = tensors(actual), tensors(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one.cpu(), other, **case.tolerance(dtype), equal_nan=True)


def to_device(args: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(one) for one in value]
        return value.to(device) if isinstance(value, Tensor) else value

    return tuple(moved(value) for value in args)


def tracked(case: OpCase, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a.requires_grad_() if i in case.differentiable else a for i, a in enumerate(args))


def gradients(function: Any, case: OpCase, args: tuple[Any, ...]) -> list[Tensor]:
    """Of the arguments, for a random cotangent of each result."""
    args = tracked(case, args)
    results = [value for value in tensors(function(*args)) if value.requires_grad]
    rng = torch.Generator().manual_seed(7)
    cotangents = [torch.randn(value.shape, generator=rng).to(value) for value in results]
    return list(torch.autograd.grad(results, [args[i] for i in case.differentiable], cotangents))


@pytest.mark.parametrize(("case", "dtype"), WITH_REFERENCE)
def test_the_operation_equals_its_reference(case: OpCase, dtype: torch.dtype, device: torch.device) -> None:
    assert case.reference is not None
    for seed in range(3):
        args = case.arguments(dtype, seed)
        assert_same(case.op(*to_device(args, device)), case.reference(*args), case, dtype)


@pytest.mark.parametrize(("case", "dtype"), DIFFERENTIABLE)
def test_the_gradient_equals_that_of_the_reference(case: OpCase, dtype: torch.dtype, device: torch.device) -> None:
    if case.reference is None:
        pytest.skip("the operation's own test has the oracle of its gradient")
    args = case.arguments(dtype)
    expected = gradients(case.reference, case, args)
    actual = gradients(
        case.op, case, tuple(a.detach() if isinstance(a, Tensor) else a for a in to_device(args, device))
    )
    assert_same(actual, expected, case, dtype)
    assert any(grad.abs().sum() > 0 for grad in expected), "a gradient of nothing but 0 proves nothing"


@pytest.mark.parametrize(("case", "dtype"), WITH_KERNEL)
def test_the_cuda_kernel_run_on_the_host_equals_the_operation(case: OpCase, dtype: torch.dtype) -> None:
    assert case.host is not None
    for seed in range(3):
        args = case.arguments(dtype, seed)
        assert_same(case.host(host_launch, *args), case.op(*args), case, dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_torch_finds_no_fault_with_the_registration(case: OpCase) -> None:
    checks = tuple(name for name in OPCHECK if name not in case.opcheck_without)
    args = tracked(case, case.arguments(case.dtypes[0]))
    torch.library.opcheck(case.op, args, test_utils=checks)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_operation_compiles_into_one_graph(case: OpCase) -> None:
    args = case.arguments(case.dtypes[0])
    torch._dynamo.reset()
    compiled = torch.compile(lambda *values: case.op(*values), fullgraph=True, backend="aot_eager")
    assert_same(compiled(*args), case.op(*args), case, case.dtypes[0])


@pytest.mark.parametrize("case", [case for case in CASES if case.differentiable], ids=str)
def test_a_second_derivative_raises(case: OpCase) -> None:
    args = tracked(case, case.arguments(case.dtypes[0]))
    result = next(value for value in tensors(case.op(*args)) if value.requires_grad)
    first = args[case.differentiable[0]]
    (grad,) = torch.autograd.grad(result.sum(), first, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        grad.sum().backward()


@pytest.mark.cuda
@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty")  # of operations on nothing
@pytest.mark.parametrize("case", [case for case in CASES if case.static], ids=str)
def test_a_cuda_graph_captures_the_operation(case: OpCase) -> None:
    dtype = case.dtypes[0]
    args = to_device(case.arguments(dtype), torch.device("cuda"))
    expected = tensors(case.op(*args))  # compiles outside the capture
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = tensors(case.op(*args))
    for value in captured:
        value.zero_()
    graph.replay()
    torch.cuda.synchronize()
    for one, other in zip(captured, expected, strict=True):
        torch.testing.assert_close(one, other, **case.tolerance(dtype), equal_nan=True)
