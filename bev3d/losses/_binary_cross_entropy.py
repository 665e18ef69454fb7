"""Binary cross entropy in logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["BinaryCrossEntropy", "binary_cross_entropy", "entropy_of_logits"]


def binary_cross_entropy(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Binary cross entropy of a logit x with a label y, which may be soft.

        max(x, 0) - x y + log(1 + e^-|x|) = -y log sigmoid(x) - (1 - y) log sigmoid(-x)

    The second form is what is computed: exact for any logit, while that in probabilities is -inf or NaN once the
    sigmoid rounds to 0 or 1, and PyTorch's (1 - y) x - log sigmoid(x) loses the small losses of sure negatives.

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
    return reduce_loss(entropy_of_logits(logits, labels), reduction)


class BinaryCrossEntropy(LossModule):
    """Mean of :func:`binary_cross_entropy`."""

    def __init__(self) -> None:
        super().__init__(binary_cross_entropy)


def entropy_of_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """The map of :func:`binary_cross_entropy`, unchecked."""
    return -labels * functional.logsigmoid(logits) - (1 - labels) * functional.logsigmoid(-logits)
