"""The overlap loss that also looks at distance and orientation."""

from __future__ import annotations

from torch import Tensor

from bev3d.losses._pair_loss import PairLossModule, pair_loss
from bev3d.losses._reduce import Reduction
from bev3d.overlap import diou_3d

__all__ = ["OdiouLoss", "odiou_loss"]


def odiou_loss(pred: Tensor, target: Tensor, *, gamma: float = 1.25, reduction: Reduction = "none") -> Tensor:
    """Orientation-aware distance-IoU loss of SE-SSD (Zheng et al., CVPR 2021, 2104.09804).

        1 - IoU3D + d² / c² + gamma (1 - |cos Δ|)

    IoU3D is the exact rotated one, d the distance of the centres, c the diagonal of what encloses both, Δ the
    difference of the yaws. What encloses is upright and parallel to the target's sides, as everywhere in this library;
    the authors take the rectangle of least area about the footprints. Where the boxes are apart, the orientation term
    is nearly all that turns them; half a turn costs nothing.

    In the authors' code c² has the height that both boxes *share* in place of the enclosing one, so that boxes one
    above the other pay d² / c² without bound, and a box with a size that is not positive costs 0, the best there is.
    Here a size below a thousandth of the target's smallest one (zero and negative ones too) adds a penalty that makes
    it grow.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0.
        gamma: of the orientation, at least 0.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...) in [0, 2 + gamma] for boxes of positive size, or a scalar; in the wider dtype of the two, float32 at
        least; inside it is float64. Equal boxes give 0 with gradient 0; a prediction that is not finite gives NaN.

    Raises:
        ValueError: wrong shapes, devices or reduction, a gamma below 0.
        TypeError: not floating-point tensors.
    """
    _check_gamma(gamma)

    def measure(box: Tensor, wanted: Tensor) -> Tensor:
        angle = box[..., 6] - wanted[..., 6]
        # 1 - |cos|, without the difference of nearly equal numbers
        orientation = angle.sin().square() / (1 + angle.cos().abs())
        return 1 - diou_3d(box, wanted) + gamma * orientation

    return pair_loss(pred, target, measure, "3d", reduction)


class OdiouLoss(PairLossModule):
    """Mean of :func:`odiou_loss` over the known pairs.

    Args:
        gamma: of the orientation.
    """

    def __init__(self, gamma: float = 1.25) -> None:
        _check_gamma(gamma)
        super().__init__(odiou_loss, gamma=gamma)


def _check_gamma(gamma: float) -> None:
    if not gamma >= 0:
        raise ValueError(f"gamma: expected a number of at least 0, got {gamma}")
