"""Sparse 3D convolution: which voxels reach which (rulebooks), products over them, pooling, and dense maps."""

from bev3d.sparse._convolution import sparse_conv3d
from bev3d.sparse._dense import sparse_to_bev, sparse_to_dense
from bev3d.sparse._pooling import sparse_max_pool3d
from bev3d.sparse._rulebook import Rulebook, strided_rulebook, submanifold_rulebook, transposed_rulebook

__all__ = [
    "Rulebook",
    "sparse_conv3d",
    "sparse_max_pool3d",
    "sparse_to_bev",
    "sparse_to_dense",
    "strided_rulebook",
    "submanifold_rulebook",
    "transposed_rulebook",
]
