"""Losses of boxes taken as Gaussians."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._gaussian_forms import (
    GaussianPair,
    bhattacharyya,
    centre_distance,
    gaussian_pair,
    jeffreys,
    kalman_iou,
    kullback_leibler,
    root,
    squared_wasserstein,
)
from bev3d.losses._known import check_positive
from bev3d.losses._pair_loss import PairLossModule, pair_loss
from bev3d.losses._reduce import Reduction

__all__ = ["GaussianBoxLoss", "gaussian_box_loss"]

GaussianKind = Literal["gwd", "kld", "jd", "bd", "kfiou", "probiou"]
Fun = Literal["log1p", "sqrt", "log1p_sqrt", "none", "exp", "ln", "linear"]
Direction = Literal["pred_to_target", "target_to_pred"]
Space = Literal["bev", "3d"]

_DISTANCES = ("log1p", "sqrt", "log1p_sqrt", "none")
# the first one is the default
_FUNS: dict[str, tuple[str, ...]] = {
    "gwd": _DISTANCES,
    "kld": _DISTANCES,
    "jd": _DISTANCES,
    "bd": _DISTANCES,
    "kfiou": ("exp", "ln", "linear"),
    "probiou": ("none",),
}


def gaussian_box_loss(
    pred: Tensor,
    target: Tensor,
    *,
    kind: GaussianKind = "kld",
    space: Space = "3d",
    fun: Fun | None = None,
    tau: float | None = 1.0,
    variance: float | None = None,
    normalise: bool = False,
    direction: Direction = "pred_to_target",
    reduction: Reduction = "none",
) -> Tensor:
    """Divergence of the Gaussians of two boxes: N(centre, R diag(v l², v w², v h²) Rᵀ), v the ``variance``.

    =========== ============================================ ======================================================
    kind        distance D, or the loss                      source
    =========== ============================================ ======================================================
    ``gwd``     d² = |d|² + tr(A + B - 2 (A^½ B A^½)^½)      Yang et al., ICML 2021, 2101.11952
    ``kld``     KL(pred ‖ target)                            Yang et al., NeurIPS 2021, 2106.01883
    ``jd``      KL(pred ‖ target) + KL(target ‖ pred)        Jeffreys; the same paper's symmetric form
    ``bd``      -ln ∫ √(p q)                                 Bhattacharyya; Yang et al., TPAMI 2023, 2209.10839
    ``kfiou``   f(K) + ln(1 + dᵀ B⁻¹ d)                      Yang et al., ICLR 2023, 2201.12558
    ``probiou`` √(1 - e^-BD), Hellinger                      Llerena et al. 2021, 2106.06072 (their L1)
    =========== ============================================ ======================================================

    A, B are the covariances of prediction and target, d the difference of the centres. The first four give

        1 - 1 / (tau + f(D)),   f = ln(1 + D) (``log1p``), √D, ln(1 + √D) (``log1p_sqrt``) or D (``none``)

    or f(D) itself without ``tau``. For ``kfiou``, f(K) = e^(1-K) - 1 (``exp``), -ln K or 1 - K (``linear``), with
    K = V / (V_A + V_B - V) of the volumes √det of A, B and (A⁻¹ + B⁻¹)⁻¹: it knows nothing of the centres, so a second
    term does, scale-free, of the centre's Mahalanobis distance in the target.

    Equal boxes give the minimum, with gradient 0: 0 (1 - 1/tau for a ``tau`` above 1); for ``kfiou`` K is at most 1/3
    seen from above and 0.2147 in 3D, so that ``exp`` rests at 0.9477 and 1.1932. The square roots (``sqrt``,
    ``log1p_sqrt``, ``probiou``) have a cone there: close by, their gradient does not fade.

    **What Gaussians cannot see**: half a turn, ever; any turn of a footprint that is square, and hardly one of a nearly
    square one. Boxes of people need another loss of the heading. ``gwd`` is in metres: the same relative error
    costs large boxes more, unless ``normalise`` is set. ``probiou`` saturates: where boxes are apart by some times
    their size its gradient is e^-BD, nothing; their authors begin with -ln(1 - L1²), which is ``kind="bd",
    variance=1/12, fun="none", tau=None``.

    mmrotate takes the root first (``log1p_sqrt``) and divides the root of ``gwd`` by the boxes' geometric mean size
    (``normalise``); its ``kld`` is KL(target ‖ pred), which a prediction lowers by growing, and its ``jd`` half the
    sum. Its forms by traces and determinants lose half of the digits close to equality, and its clamp of sizes at 1e-7
    leaves a collapsed box without gradient. Here sizes below a thousandth of the target's smallest one (zero and
    negative ones too) count as that, and add a penalty that makes them grow.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0. Sizes below 1e-6 m
            count as 1e-6 m.
        kind: see the table.
        space: ``"bev"``, seen from above, or ``"3d"``, where z is an independent Gaussian.
        fun: f; None: ``"log1p"``, and ``"exp"`` for ``kfiou``. ``probiou`` has none.
        tau: at least 1, or None; of the first four kinds.
        variance: of a side of length 1; None: 1/4, so that a side is two standard deviations, and for ``probiou``
            1/12, that of the uniform distribution, as in the papers.
        normalise: of ``gwd``: D over the squared geometric mean of the sizes of both boxes. Scale-free then, but a
            prediction that is apart gains by growing.
        direction: of ``kld``; ``"target_to_pred"`` is KL(target ‖ pred).
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; in the wider dtype of the two, float32 at least; inside it is float64. A prediction that is
        not finite gives NaN, so that divergence shows.

    Raises:
        ValueError: wrong shapes, devices, kind, space, fun, direction or reduction; tau below 1; a variance that is not
            above 0; ``normalise`` or ``direction`` for a kind that has none.
        TypeError: not floating-point tensors.
    """
    fun, variance = _check_options(kind, space, fun, tau, variance, normalise, direction)

    def measure(box: Tensor, wanted: Tensor) -> Tensor:
        pair = gaussian_pair(box, wanted, space, variance)
        if kind == "kfiou":
            return _of_iou(kalman_iou(pair), fun) + torch.log1p(centre_distance(pair))
        if kind == "probiou":
            return root(-torch.expm1(-bhattacharyya(pair)))
        return _of_distance(_distance(pair, kind, variance, normalise, direction), fun, tau)

    return pair_loss(pred, target, measure, space, reduction)


class GaussianBoxLoss(PairLossModule):
    """Mean of :func:`gaussian_box_loss` over the known pairs.

    Args:
        kind, space, fun, tau, variance, normalise, direction: as the function.
    """

    def __init__(
        self,
        kind: GaussianKind = "kld",
        space: Space = "3d",
        *,
        fun: Fun | None = None,
        tau: float | None = 1.0,
        variance: float | None = None,
        normalise: bool = False,
        direction: Direction = "pred_to_target",
    ) -> None:
        fun, variance = _check_options(kind, space, fun, tau, variance, normalise, direction)
        super().__init__(
            gaussian_box_loss,
            kind=kind,
            space=space,
            fun=fun,
            tau=tau,
            variance=variance,
            normalise=normalise,
            direction=direction,
        )


def _distance(pair: GaussianPair, kind: str, variance: float, normalise: bool, direction: str) -> Tensor:
    if kind == "gwd":
        squared = squared_wasserstein(pair)
        if not normalise:
            return squared
        dims = pair.own.shape[-1]
        # geometric mean of the squares of 2 K standard deviations, as sizes
        return squared * variance / (pair.own.prod(-1) * pair.other.prod(-1)).pow(1 / dims)
    if kind == "bd":
        return bhattacharyya(pair)
    if kind == "jd":
        return jeffreys(pair)
    return kullback_leibler(pair if direction == "pred_to_target" else pair.swapped())


def _of_distance(distance: Tensor, fun: str, tau: float | None) -> Tensor:
    if fun in ("sqrt", "log1p_sqrt"):
        distance = root(distance)
    if fun in ("log1p", "log1p_sqrt"):
        distance = torch.log1p(distance)
    # 1 - 1 / (tau + f), without the difference of nearly equal numbers
    return distance if tau is None else (tau - 1 + distance) / (tau + distance)


def _of_iou(iou: Tensor, fun: str) -> Tensor:
    if fun == "exp":
        return torch.expm1(1 - iou)
    return -torch.log(iou) if fun == "ln" else 1 - iou


def _check_options(
    kind: str,
    space: str,
    fun: Fun | None,
    tau: float | None,
    variance: float | None,
    normalise: bool,
    direction: str,
) -> tuple[Fun, float]:
    check_choice("kind", kind, get_args(GaussianKind))
    check_choice("space", space, get_args(Space))
    check_choice("direction", direction, get_args(Direction))
    if fun is not None and fun not in _FUNS[kind]:
        raise ValueError(f"fun: expected one of {', '.join(_FUNS[kind])} for kind {kind!r}, got {fun!r}")
    if tau is not None and not tau >= 1:
        raise ValueError(f"tau: expected None or a number of at least 1, got {tau}")
    if normalise and kind != "gwd":
        raise ValueError(f"normalise: expected False for kind {kind!r}, got {normalise}; only 'gwd' has a scale")
    if direction != "pred_to_target" and kind != "kld":
        raise ValueError(f"direction: expected 'pred_to_target' for kind {kind!r}, got {direction!r}")
    if variance is None:
        variance = 1 / 12 if kind == "probiou" else 1 / 4
    check_positive("variance", variance)
    return fun or _FUNS[kind][0], variance  # type: ignore[return-value]
