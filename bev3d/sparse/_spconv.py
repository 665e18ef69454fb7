"""spconv's layers with our weights: what bev3d.sparse does where backend ``spconv`` was asked for.

A layer of spconv without memory of its own (on torch's meta device, so that nothing is drawn from a generator either)
serves as the function; the weight is handed to it at each call. What spconv gets wrong is kept from it: empty input,
output without a site, autocast, halves on the CPU, biases, kernels of one cell, gradients in eval mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from bev3d.sparse._backend import import_spconv
from bev3d.sparse._tensor import Geometry, SparseTensor

__all__ = ["make_layer", "run_layer"]

_KEY = "this layer's"


def make_layer(weight: Tensor, geometry: Geometry, *, inverse: bool) -> nn.Module:
    """A layer of spconv for weights of that shape and device, without parameters of its own.

    On the CPU it takes the one algorithm that runs there.
    """
    spconv = import_spconv()
    out_channels, *kernel_size, in_channels = weight.shape
    algo = spconv.ConvAlgo.Native if weight.device.type == "cpu" else None
    common = {"bias": False, "indice_key": _KEY, "algo": algo}
    with torch.device("meta"):
        if inverse:
            made = spconv.SparseInverseConv3d(in_channels, out_channels, kernel_size, **common)
        elif geometry.submanifold:
            dilation = list(geometry.dilation)
            made = spconv.SubMConv3d(in_channels, out_channels, kernel_size, dilation=dilation, **common)
        else:
            steps = (list(geometry.stride), list(geometry.padding), list(geometry.dilation))
            made = spconv.SparseConv3d(in_channels, out_channels, kernel_size, *steps, **common)
    layer: nn.Module = made
    return layer


def run_layer(
    layer: nn.Module, tensor: SparseTensor, features: Tensor, weight: Tensor, pairs: Any = None
) -> tuple[Tensor, Tensor, Any]:
    """Features and coordinates of the output, and the pairs of rows, to be handed in again.

    Args:
        layer: of :func:`make_layer`.
        tensor: sites, grid and batch.
        features: (V, C_in) of the sites.
        weight: of their dtype.
        pairs: of a layer with the same geometry and sites, or, for an inverse layer, of the one that it inverts.
    """
    dtype, kept = features.dtype, []
    on_cpu = features.device.type == "cpu"
    if on_cpu and dtype in (torch.float16, torch.bfloat16):
        features, weight = features.float(), weight.float()
    # outside of training mode spconv's GPU kernels know no gradient
    layer.training = torch.is_grad_enabled()

    def call(features: Tensor, weight: Tensor) -> Tensor:
        known = {} if pairs is None else {_KEY: pairs}
        sites, shape = tensor.coordinates, list(tensor.spatial_shape)
        start = import_spconv().SparseConvTensor(features, sites, shape, tensor.batch_size, indice_dict=known)
        kept.append(functional_call(layer, {"weight": weight}, (start,)))
        out: Tensor = kept[0].features
        return out

    arguments = features.contiguous(), weight.contiguous()
    rows = _WithoutAutocast.apply(call, *arguments) if on_cpu and layer.training else call(*arguments)
    return rows.to(dtype), kept[0].indices, kept[0].indice_dict[_KEY]


class _WithoutAutocast(torch.autograd.Function):
    """A function whose backward runs without autocast too, where a loss is sent back inside of it."""

    @staticmethod
    def forward(ctx: Any, call: Callable[[Tensor, Tensor], Tensor], *arguments: Tensor) -> Tensor:
        with torch.enable_grad():
            wanted = ctx.needs_input_grad[1:]
            ctx.inner = [value.detach().requires_grad_(want) for value, want in zip(arguments, wanted, strict=True)]
            ctx.out = call(*ctx.inner)
        out: Tensor = ctx.out.detach()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        wanted = [value for value in ctx.inner if value.requires_grad]
        with torch.autocast("cpu", enabled=False):
            found = iter(torch.autograd.grad(ctx.out, wanted, grad, retain_graph=True))
        return None, *(next(found) if value.requires_grad else None for value in ctx.inner)
