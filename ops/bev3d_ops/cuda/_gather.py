"""Values of maps at the cells of objects, and the way back, on CUDA."""

from __future__ import annotations

from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["gather_cells", "scatter_cells"]


def gather_cells(launch: Launch, maps: Tensor, cell_index: Tensor) -> Tensor:
    """See :func:`bev3d_ops.registered.gather_cells`."""
    maps, cell_index = maps.contiguous(), cell_index.contiguous()
    (batch, channels, cells), objects = maps.shape, cell_index.shape[1]
    out = maps.new_empty((batch, objects, channels))
    launch("gather.gather_cells", maps.dtype, out.numel(), maps, cell_index, out, batch, channels, cells, objects)
    return out


def scatter_cells(launch: Launch, grad: Tensor, cell_index: Tensor, cells: int) -> Tensor:
    """See :func:`bev3d_ops.registered.scatter_cells`."""
    grad, cell_index = grad.contiguous(), cell_index.contiguous()
    batch, objects, channels = grad.shape
    out = grad.new_zeros((batch, channels, cells))
    launch("gather.scatter_cells", grad.dtype, grad.numel(), grad, cell_index, out, batch, channels, cells, objects)
    return out
