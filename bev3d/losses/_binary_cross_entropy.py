"""Binary cross entropy in logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["BinaryCrossEntropy", "binary_cross_entropy"]


def binary_cross_entropy(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Binary cross entropy of a logit x with a label y, which may be soft.

        max(x, 0) - x y + log(1 + e^-|x|)

    The form is exact for any logit; that in probabilities is -inf or NaN once the sigmoid rounds to 0 or 1.

    Args:
        pred: (...) logits.
        target: broadcasts to ``pred``, in [0, 1].
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least. At a soft label the minimum is the label's entropy, not 0.

    Raises:
        ValueError: shapes that do not broadcast, labels outside [0, 1], an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_unit_interval("target", target)
    logits, labels = in_float32(pred, target)
    loss = functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")
    return reduce_loss(loss, reduction)


class BinaryCrossEntropy(LossModule):
    """Mean of :func:`binary_cross_entropy`."""

    def __init__(self) -> None:
        super().__init__(binary_cross_entropy)
