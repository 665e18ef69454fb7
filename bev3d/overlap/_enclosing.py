"""Overlap with terms that still have a gradient where the boxes are apart: GIoU, DIoU, CIoU and EIoU.

All need a box that encloses the pair. Here it is, everywhere, the smallest one whose sides are parallel to those of the
**target** (the second argument): cheap, smooth in the prediction, and fixed to what does not move. It is not the
smallest enclosing rectangle, nor the convex hull of the original GIoU, which it bounds from above; GIoU takes the hull
where that is asked for.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from bev3d._check import check_choice
from bev3d.overlap._aligned import check_pair
from bev3d_ops import _dispatch as ops
from bev3d_ops import _overlap_kinds as kinds

__all__ = ["Enclosing", "ciou_3d", "ciou_bev", "diou_3d", "diou_bev", "eiou_3d", "eiou_bev", "giou_3d", "giou_bev"]

Enclosing = Literal["target", "hull"]


def giou_bev(pred: Tensor, target: Tensor, *, enclosing: Enclosing = "target") -> Tensor:
    """Generalised IoU of the footprints of aligned boxes (Rezatofighi et al., CVPR 2019, 1902.09630).

        GIoU = IoU - (C - U) / C,   U the area of the union, C that of what encloses both

    Value and gradient are found in one pass, in closed form. Equal boxes are at rest: their gradient is 0 to rounding.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`.
        target: (..., 7 or 9), broadcastable, on the same device.
        enclosing: ``"target"``, the box parallel to the target's sides, or ``"hull"``, the paper's convex hull. The
            hull is never larger, so that its value is never below; it is invariant where the boxes are exchanged.

    Returns:
        (...) in [-1, 1], in the wider dtype of the two; 1 for equal boxes. -1, with gradient 0, where either box has a
        NaN or an infinity or lies beyond 1e40 m (1e12 m on CUDA but in float64); -1 where both have no extent. Sizes
        that are not positive count as 0: 0 itself has the gradient of growing, what is below it none.

    Raises:
        ValueError: wrong shapes, different devices, or another ``enclosing``.
        TypeError: not floating-point tensors.
    """
    return _giou(pred, target, enclosing, kinds.GIOU_BEV, kinds.GIOU_HULL_BEV)


def giou_3d(pred: Tensor, target: Tensor, *, enclosing: Enclosing = "target") -> Tensor:
    """Generalised IoU of the volumes; arguments and promises as :func:`giou_bev`.

    What encloses both is upright: the area of the box or of the hull seen from above, times the enclosing height.
    """
    return _giou(pred, target, enclosing, kinds.GIOU_3D, kinds.GIOU_HULL_3D)


def diou_bev(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU of the footprints of aligned boxes (Zheng et al., AAAI 2020, 1911.08287).

        DIoU = IoU - d² / c²,   d the distance of the centres, c the diagonal of the enclosing box

    The enclosing box is parallel to the target's sides. Arguments and promises as :func:`giou_bev`.
    """
    return _boxed(pred, target, kinds.DIOU_BEV)


def diou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU of the volumes, d and c in three dimensions; arguments and promises as :func:`giou_bev`."""
    return _boxed(pred, target, kinds.DIOU_3D)


def ciou_bev(pred: Tensor, target: Tensor) -> Tensor:
    """Complete IoU of the footprints of aligned boxes (Zheng et al., AAAI 2020, 1911.08287).

        CIoU = DIoU - α v,   v = 4/π² (atan(l*/w*) - atan(l/w))²,   α = v / (1 - IoU + v)

    l and w are length and width, with a star the target's. α has no gradient; v has the one that the formula gives (the
    paper prints it with its sign turned). Where a box's diagonal is below a thousandth of the other's, v's derivative
    counts it as that thousandth: it stays bounded.

    Returns:
        (...) in [-2, 1]. All else, and the arguments, as :func:`giou_bev`.
    """
    return _boxed(pred, target, kinds.CIOU_BEV)


def ciou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """Complete IoU of the volumes: IoU, d and c in three dimensions, v still of length and width.

    Arguments and promises as :func:`ciou_bev`.
    """
    return _boxed(pred, target, kinds.CIOU_3D)


def eiou_bev(pred: Tensor, target: Tensor) -> Tensor:
    """Efficient IoU of the footprints of aligned boxes (Zhang et al., Neurocomputing 2022, 2101.08158).

        EIoU = DIoU - (l - l*)² / C_l² - (w - w*)² / C_w²

    C_l and C_w are the enclosing box's extents along the target's length and width, but at least either box's own
    length or width: without that bound, thin boxes across each other would give 1e9. So each term is at most 1.

    Returns:
        (...) in [-3, 1]. All else, and the arguments, as :func:`giou_bev`.
    """
    return _boxed(pred, target, kinds.EIOU_BEV)


def eiou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """Efficient IoU of the volumes, with a third size term for the height, in [-4, 1]; else as :func:`eiou_bev`."""
    return _boxed(pred, target, kinds.EIOU_3D)


def _giou(pred: Tensor, target: Tensor, enclosing: Enclosing, box: int, hull: int) -> Tensor:
    check_choice("enclosing", enclosing, ("target", "hull"))
    return _boxed(pred, target, box if enclosing == "target" else hull)


def _boxed(pred: Tensor, target: Tensor, kind: int) -> Tensor:
    check_pair(pred, target, ("pred", "target"))
    return ops.aligned_overlap(pred, target, kind)
