"""One way to register an operation with torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["register"]

_LIBRARY = torch.library.Library("bev3d", "DEF")


def register(
    schema: str,
    *,
    cpu: Callable[..., Any],
    cuda: Callable[..., Any],
    fake: Callable[..., Any],
    setup: Callable[[Any, tuple[Any, ...], Any], None] | None = None,
    backward: Callable[..., Any] | None = None,
    check: Callable[..., None] | None = None,
) -> Any:
    """Define ``bev3d::<schema>`` and return it, callable.

    Args:
        schema: such as ``double_it(Tensor x) -> Tensor``.
        cpu: runs on CPU tensors; also the kernels for every type that it does not know must raise a clear error.
        cuda: runs on CUDA tensors, without waiting for the device.
        fake: shapes, types and devices of the result from those of the arguments.
        setup: ``(ctx, inputs, output)``, keeps what the gradient needs.
        backward: ``(ctx, *cotangents)`` -> one gradient or None for each argument; of operations that are registered
            or torch's own. Once differentiable: a second derivative raises.
        check: called with the arguments before any of the first three; raises where they do not fit.
    """
    if check is not None:
        cpu, cuda, fake = (_checked(check, run) for run in (cpu, cuda, fake))
    name = schema.split("(", 1)[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(name, cpu, "CPU")
    _LIBRARY.impl(name, cuda, "CUDA")
    torch.library.register_fake(f"bev3d::{name}", fake, lib=_LIBRARY)
    if backward is not None:
        once = _once_differentiable(name, backward)
        torch.library.register_autograd(f"bev3d::{name}", once, setup_context=setup, lib=_LIBRARY)
    return getattr(torch.ops.bev3d, name).default


def _checked(check: Callable[..., None], run: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any) -> Any:
        check(*args)
        return run(*args)

    return checked


def _once_differentiable(name: str, backward: Callable[..., Any]) -> Callable[..., Any]:
    """``backward`` whose results raise, rather than count as constants, where they are differentiated again."""

    @functools.wraps(backward)
    def once(ctx: Any, *cotangents: Tensor | None) -> Any:
        with torch.no_grad():
            grads = backward(ctx, *cotangents)
        if not torch.is_grad_enabled():
            return grads
        as_tuple = grads if isinstance(grads, tuple) else (grads,)
        return tuple(_guard(name, grad) if isinstance(grad, Tensor) else grad for grad in as_tuple)

    return once


def _guard(name: str, grad: Tensor) -> Tensor:
    guarded: Tensor = _Once.apply(name, grad.detach().requires_grad_())
    return guarded


class _Once(torch.autograd.Function):
    """The identity, which cannot be differentiated."""

    @staticmethod
    def forward(ctx: Any, name: str, value: Tensor) -> Tensor:
        ctx.name = name
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        raise RuntimeError(f"bev3d::{ctx.name} can be differentiated once only")
