"""What stands between sparse convolutions: sequences, pooling, and the way to dense tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from bev3d.sparse._check import Sizes, three
from bev3d.sparse._module import SparseModule
from bev3d.sparse._modules import connect
from bev3d.sparse._pooling import sparse_max_pool3d
from bev3d.sparse._tensor import Geometry, SparseTensor

__all__ = ["SparseMaxPool3d", "SparseSequential", "ToBEV", "ToDense", "apply_to_rows"]


class SparseSequential(nn.Sequential):
    """Modules one after another: sparse ones get the sparse tensor, all others its features (V, C).

    Parameters are named as in :class:`torch.nn.Sequential` and in spconv's class of this name. After :class:`ToDense`
    or :class:`ToBEV` the rest is applied to the dense tensor.
    """

    def forward(self, tensor: SparseTensor | Tensor) -> SparseTensor | Tensor:
        """A sparse tensor, or a dense one where a module made it one."""
        for module in self:
            if isinstance(tensor, SparseTensor) and not isinstance(module, SparseModule | SparseSequential):
                tensor = tensor.replace_features(apply_to_rows(module, tensor.features))
            else:
                tensor = module(tensor)
        return tensor


def apply_to_rows(module: nn.Module, rows: Tensor) -> Tensor:
    """``module`` of rows (V, C), of which there may be none.

    A batch norm in training normalises by its running statistics, and leaves them, where there are fewer than two
    rows: their variance says nothing, and torch refuses. (One that is synchronised over processes sees to it itself.)
    """
    if len(rows) < 2 and isinstance(module, _BatchNorm) and module.training and not _synchronised(module):
        mean, variance = module.running_mean, module.running_var
        if mean is not None and variance is not None:
            return functional.batch_norm(rows, mean, variance, module.weight, module.bias, False, 0.0, module.eps)
    out: Tensor = module(rows)
    return out


def _synchronised(module: nn.Module) -> bool:
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return isinstance(module, nn.SyncBatchNorm) and distributed and torch.distributed.get_world_size() > 1


class SparseMaxPool3d(SparseModule):
    """Largest feature among the sites that the kernel covers, at every site that they reach.

    See :func:`bev3d.sparse.sparse_max_pool3d`. It is bev3d's own with either backend: spconv's takes the cells
    without a site for zeros on the CPU.

    Args:
        kernel_size: one number or three for z, y, x.
        stride: the kernel's size where None.
        padding: on both sides of the input.
        dilation: steps between the kernel's cells.
        indice_key: name under which a :class:`SparseInverseConv3d` finds the way back.
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        *,
        dilation: Sizes = 1,
        indice_key: str | None = None,
    ) -> None:
        super().__init__()
        self.geometry = Geometry(
            three("kernel_size", kernel_size, 1),
            three("stride", kernel_size if stride is None else stride, 1),
            three("padding", padding, 0),
            three("dilation", dilation, 1),
        )
        self.indice_key = indice_key

    def extra_repr(self) -> str:
        """What was asked for."""
        g = self.geometry
        return f"kernel_size={g.kernel_size}, stride={g.stride}, padding={g.padding}, dilation={g.dilation}"

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """(V, C) to (V', C).

        Raises:
            ValueError: the key is taken.
        """
        if self.indice_key is not None and self.indice_key in tensor.connections:
            raise ValueError(f"indice_key: expected a name that no layer before has, got {self.indice_key!r}")
        connection = connect(tensor, self.geometry)
        return tensor.at_sites(connection, sparse_max_pool3d(tensor.features, connection.pairs), self.indice_key)


class ToDense(SparseModule):
    """To (B, C, D, H, W), 0 where no site is."""

    def forward(self, tensor: SparseTensor) -> Tensor:
        """See :func:`bev3d.sparse.sparse_to_dense`."""
        return tensor.dense()


class ToBEV(SparseModule):
    """To (B, C * D, H, W): the heights of a column become channels, c * D + z."""

    def forward(self, tensor: SparseTensor) -> Tensor:
        """See :func:`bev3d.sparse.sparse_to_bev`."""
        return tensor.bev()
