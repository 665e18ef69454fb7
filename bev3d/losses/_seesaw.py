"""Seesaw loss for long-tailed classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._cross_entropy import check_classes_first, count_labelled
from bev3d.losses._inputs import in_float32
from bev3d.losses._reduce import Reduction, reduce_loss, weighted_mean

__all__ = ["SeesawLoss", "seesaw_loss"]


def seesaw_loss(
    pred: Tensor,
    target: Tensor,
    class_counts: Tensor,
    *,
    p: float = 0.8,
    q: float = 2.0,
    ignore_index: int = -1,
    reduction: Reduction = "none",
) -> Tensor:
    """Seesaw loss (Wang et al., CVPR 2021, 2008.10032, equations 4 to 7).

        -log(e^z_i / (sum over j != i of S_ij e^z_j + e^z_i)),   S_ij = M_ij C_ij
        M_ij = min(1, (N_j / N_i)^p): a frequent class i spares a rare class j
        C_ij = max(1, (s_j / s_i)^q): unless j is what the network wrongly says; s the softmax, a constant

    Args:
        pred: (B, C, ...) logits.
        target: (B, ...) class indices.
        class_counts: (C,) instances of each class seen so far; counts below 1 count as 1.
        p: mitigation, at least 0.
        q: compensation, at least 0. With p = q = 0 it is cross entropy.
        ignore_index: a label that does not count.
        reduction: ``"none"``, ``"mean"`` over the labels that count, or ``"sum"``.

    Returns:
        (B, ...), 0 where ignored, or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, a negative p or q, an unknown reduction.
        TypeError: predictions that are not floating-point tensors, labels that are not integers.
    """
    check_classes_first(pred, target, ignore_index)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    for name, value in (("p", p), ("q", q)):
        if not value >= 0:
            raise ValueError(f"{name}: expected at least 0, got {value}")
    if class_counts.shape != (pred.shape[1],):
        raise ValueError(f"class_counts: expected shape ({pred.shape[1]},), got {tuple(class_counts.shape)}")
    (logits,) = in_float32(pred)
    counts = target != ignore_index
    labels = torch.where(counts, target, 0).long()
    log_n = class_counts.to(logits.dtype).clamp(min=1).log()
    # (C, C) by label and other class, looked up at the labels and brought to (B, C, ...)
    log_m = (p * (log_n[None, :] - log_n[:, None])).clamp(max=0)
    mitigation = log_m[labels].movedim(-1, 1)
    log_s = functional.log_softmax(logits.detach(), dim=1)
    own = log_s.gather(1, labels[:, None])
    compensation = (q * (log_s - own)).clamp(min=0)
    is_label = torch.zeros_like(logits, dtype=torch.bool).scatter(1, labels[:, None], True)
    adjusted = logits + torch.where(is_label, 0.0, mitigation + compensation)
    loss = functional.cross_entropy(adjusted, labels, reduction="none")
    loss = torch.where(counts, loss, 0.0)
    return reduce_loss(loss, reduction, count_labelled(target, ignore_index))


class SeesawLoss(nn.Module):
    """Mean of :func:`seesaw_loss`, with the instances of each class counted while training.

    Args:
        classes: number of classes C.
        p, q: as the function.
        ignore_index: a label that does not count.
        synchronise: add up the counts of all ranks of the default process group, where one is initialised.

    Attributes:
        class_counts: (C,) float64 buffer, saved with the model.
    """

    class_counts: Tensor

    def __init__(
        self, classes: int, *, p: float = 0.8, q: float = 2.0, ignore_index: int = -1, synchronise: bool = True
    ) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes: expected at least 1, got {classes}")
        self.p, self.q, self.ignore_index, self.synchronise = p, q, ignore_index, synchronise
        self.register_buffer("class_counts", torch.zeros(classes, dtype=torch.float64))

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Weighted sum over ``avg_factor`` or over the labels that count; in training, counts them first."""
        check_classes_first(pred, target, self.ignore_index)
        if self.training:
            self._count(target)
        if avg_factor is None:
            avg_factor = count_labelled(target, self.ignore_index)
        counts = self.class_counts
        loss = seesaw_loss(pred, target, counts, p=self.p, q=self.q, ignore_index=self.ignore_index)
        return weighted_mean(loss, weight, avg_factor)

    @torch.no_grad()
    def _count(self, target: Tensor) -> None:
        seen = target != self.ignore_index
        new = torch.zeros_like(self.class_counts)
        new.index_add_(0, torch.where(seen, target, 0).long().flatten(), seen.to(new.dtype).flatten())
        if self.synchronise and torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(new)
        self.class_counts.add_(new)
