"""Sparse 3D convolution: which voxels reach which (rulebooks), products over them, pooling, dense maps, and modules."""

from bev3d.sparse._backend import Backend, resolve_backend
from bev3d.sparse._convolution import sparse_conv3d
from bev3d.sparse._dense import sparse_to_bev, sparse_to_dense
from bev3d.sparse._layers import SparseMaxPool3d, SparseSequential, ToBEV, ToDense, apply_to_rows
from bev3d.sparse._module import SparseModule
from bev3d.sparse._modules import SparseConv3d, SparseInverseConv3d, SubMConv3d
from bev3d.sparse._pooling import sparse_max_pool3d
from bev3d.sparse._rulebook import Rulebook, strided_rulebook, submanifold_rulebook, transposed_rulebook
from bev3d.sparse._tensor import SparseTensor

__all__ = [
    "Backend",
    "Rulebook",
    "SparseConv3d",
    "SparseInverseConv3d",
    "SparseMaxPool3d",
    "SparseModule",
    "SparseSequential",
    "SparseTensor",
    "SubMConv3d",
    "ToBEV",
    "ToDense",
    "apply_to_rows",
    "resolve_backend",
    "sparse_conv3d",
    "sparse_max_pool3d",
    "sparse_to_bev",
    "sparse_to_dense",
    "strided_rulebook",
    "submanifold_rulebook",
    "transposed_rulebook",
]
