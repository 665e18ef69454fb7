"""Batch norm whose statistics are those of all processes, on a CPU too, which torch's own is not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["SynchronisedBatchNorm", "synchronise_batch_norm"]


class SynchronisedBatchNorm(nn.Module):
    """Batch norm (Ioffe and Szegedy 2015, arXiv 1502.03167) over the samples of all ranks of a group.

    It is none of torch's batch norms, around which a sparse network steps where a rank has no voxels: every rank has to
    take part in each exchange.

    Parameters, buffers and their names are those of ``nn.BatchNorm1d`` to ``3d``, so that checkpoints move. A rank
    may hold any number of values, none too. Statistics of half precision are float32; the result has the input's type.

    Args:
        source: the layer to take the place of; its parameters and buffers are shared.
        group: the ranks; None is the default group.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, source: _BatchNorm, group: distributed.ProcessGroup | None) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = source.num_features, source.eps, source.momentum
        for name in ("weight", "bias"):
            self.register_parameter(name, getattr(source, name))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(source, name))
        self.group = group
        self.train(source.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """(N, C, ...) to the same."""
        if input.ndim < 2:
            raise ValueError(f"input: expected (N, C, ...), got {tuple(input.shape)}")
        mean, variance = self.running_mean, self.running_var
        if not self.training and mean is not None and variance is not None:
            return functional.batch_norm(input, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
        wide = input if input.dtype == torch.float64 else input.float()
        with torch.autocast(input.device.type, enabled=False):
            normalised, *statistics = _Normalise.apply(wide, self.eps, self.group)
            if self.training:
                self._track(*statistics)
            shape = (1, -1, *[1] * (input.ndim - 2))
            if self.weight is not None and self.bias is not None:
                normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
            return normalised.to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        weight = share * (count > 0).to(count.dtype)  # nothing anywhere: statistics stay
        unbiased = variance * (count / (count - 1).clamp(min=1))
        with torch.no_grad():
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(unbiased, weight)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps); with g the gradient and y the result, in means over all ranks,
    the gradient of x is (g - mean(g) - y mean(g y)) / sqrt(variance + eps)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, eps: float, group: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        dims = [0, *range(2, values.ndim)]
        shape = [1, -1, *[1] * (values.ndim - 2)]
        channels = values.shape[1]
        number = values.new_full((1,), values.numel() // channels)
        first = torch.cat([values.sum(dims), number])
        distributed.all_reduce(first, group=group)
        total = first[-1]
        count = total.clamp(min=1)
        mean = first[:-1] / count
        centred = values - mean.view(shape)
        second = centred.square().sum(dims)
        distributed.all_reduce(second, group=group)
        variance = second / count
        scale = (variance + eps).rsqrt()
        result = centred * scale.view(shape)
        ctx.save_for_backward(result, scale, count)
        ctx.group, ctx.dims, ctx.shape = group, dims, shape
        ctx.mark_non_differentiable(mean, variance, total)
        return result, mean, variance, total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:
        result, scale, count = ctx.saved_tensors
        sums = torch.stack([gradient.sum(ctx.dims), (gradient * result).sum(ctx.dims)])
        distributed.all_reduce(sums, group=ctx.group)
        plain, projected = (sums / count).view(2, *ctx.shape[1:]).split(1)
        inner = gradient - plain - result * projected
        return inner * scale.view(ctx.shape), None, None


def synchronise_batch_norm(module: nn.Module, group: distributed.ProcessGroup | None = None) -> nn.Module:
    """Put :class:`SynchronisedBatchNorm` in place of every batch norm of ``module``, in place; returns it."""
    if isinstance(module, _BatchNorm):
        return SynchronisedBatchNorm(module, group)
    for name, child in module.named_children():
        setattr(module, name, synchronise_batch_norm(child, group))
    return module
