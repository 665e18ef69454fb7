"""Pooling over a rulebook."""

from __future__ import annotations

from torch import Tensor

from bev3d.sparse._check import check_features
from bev3d.sparse._rulebook import Rulebook
from bev3d_ops.registered import _sparse as ops

__all__ = ["sparse_max_pool3d"]


def sparse_max_pool3d(features: Tensor, rulebook: Rulebook) -> Tensor:
    """Largest feature, channel by channel, among the input sites that the kernel covers at each output site.

    A cell without a site takes no part, so that the maximum of negative features is negative: max_pool3d of the dense
    grid with -infinity where nothing is. NaN wins; the gradient goes to the winner, of equals to the first offset.

    Args:
        features: (V_in, C), a row for each of ``rulebook.in_coordinates``.
        rulebook: of :func:`strided_rulebook` or :func:`submanifold_rulebook`.

    Returns:
        (V_out, C); 0 at an output site that no input reaches, which an inverse rulebook may have. Once differentiable.

    Raises:
        ValueError: shapes that do not fit together, different devices.
        TypeError: not a floating-point tensor.
    """
    check_features(features, rulebook.in_coordinates, "rulebook.in_coordinates")
    count = rulebook.out_coordinates.shape[0]
    best: Tensor = ops.sparse_max_pool(features, rulebook.pair_in, rulebook.pair_out, rulebook.offsets, count)[0]
    return best
