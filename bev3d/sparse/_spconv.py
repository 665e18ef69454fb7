"""spconv's layers with our weights: what bev3d.sparse does where backend ``spconv`` was asked for.

A layer of spconv without memory of its own (on torch's meta device, so that nothing is drawn from a generator either)
serves as the function; the weight is handed to it at each call. What spconv gets wrong is kept from it: empty input,
output without a site, autocast, halves on the CPU, biases, kernels of one cell, gradients in eval mode.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
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
    dtype = features.dtype
    if features.device.type == "cpu" and dtype in (torch.float16, torch.bfloat16):
        features, weight = features.float(), weight.float()
    start = import_spconv().SparseConvTensor(
        features.contiguous(),
        tensor.coordinates,
        list(tensor.spatial_shape),
        tensor.batch_size,
        indice_dict={} if pairs is None else {_KEY: pairs},
    )
    # outside of training mode spconv's GPU kernels know no gradient
    layer.training = torch.is_grad_enabled()
    out = functional_call(layer, {"weight": weight.contiguous()}, (start,))
    return out.features.to(dtype), out.indices, out.indice_dict[_KEY]
