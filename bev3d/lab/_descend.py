"""Plain gradient descent of every box at once, with the step sizes of the DIoU paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.boxes import Box
from bev3d.lab._losses import LabLoss
from bev3d.overlap import iou_3d, iou_bev

__all__ = ["GOOD_IOU", "Trace", "descend", "gradient", "step_factor"]

GOOD_IOU = 0.9
# z and height take no part seen from above
_MOVING = {"bev": (1, 1, 0, 1, 1, 0, 1), "3d": (1, 1, 1, 1, 1, 1, 1)}
_LARGEST_LOG_STEP = 20.0  # e^20 is no size, and still a number


@dataclass(frozen=True)
class Trace:
    """What became of N boxes in T steps.

    Attributes:
        final: (N, 7).
        iou: (N,) at the end.
        first: (N,) steps until IoU was above 0.9 for the first time; T + 1 where it never was.
        lost: (N,) whether a step led to a number that is not finite; the box stays where it was.
        curve: (groups, T + 1) mean of 1 - IoU over the boxes of each group, from the start on.
    """

    final: Tensor
    iou: NDArray[np.float64]
    first: NDArray[np.int64]
    lost: NDArray[np.bool_]
    curve: NDArray[np.float64]

    def part(self, which: slice) -> Trace:
        """The boxes ``which``, with the curves of all."""
        return Trace(self.final[which], self.iou[which], self.first[which], self.lost[which], self.curve)


def step_factor(step: int, steps: int) -> float:
    """Factor of the step size at ``step`` of ``steps``: 1, a tenth after 80 % of them, a hundredth after 90 %."""
    return 1.0 if step < 0.8 * steps else 0.1 if step < 0.9 * steps else 0.01


def descend(
    loss: LabLoss,
    pred: Tensor,
    target: Tensor,
    *,
    rate: Tensor | float,
    steps: int,
    space: str = "bev",
    log_sizes: Tensor | bool = False,
    groups: NDArray[np.int64] | None = None,
) -> Trace:
    """Move every box down its own loss.

        B <- B - rate * factor(step) * (2 - IoU) * dL/dB

    as in the simulation of Zheng et al. (AAAI 2020, 1911.08287): (2 - IoU) lets boxes that are far take longer
    steps. Each box has its own gradient, since losses are unreduced.

    Args:
        loss: what to descend.
        pred, target: (N, 7) float64.
        rate: step size, of all or (N,) of each; the paper's is 0.1.
        steps: the paper's number is 200.
        space: ``"bev"``, where z and height stay, or ``"3d"``.
        log_sizes: of all or (N,) of each: take the gradient by the logarithms of the sizes, which a head regresses,
            and not by the sizes.
        groups: (N,) group of each box, for the curves; None: all in one.
    """
    overlap = iou_bev if space == "bev" else iou_3d
    moving = torch.tensor(_MOVING[space], dtype=torch.bool)
    log_sizes = torch.as_tensor(log_sizes).expand(len(pred))[:, None]
    groups = np.zeros(len(pred), dtype=np.int64) if groups is None else groups
    count = np.bincount(groups)
    box, iou = pred.clone(), overlap(pred, target)
    lost = torch.zeros(len(pred), dtype=torch.bool)
    first = np.full(len(pred), steps + 1)
    curve = np.empty((len(count), steps + 1))
    for step in range(steps + 1):
        far = 1 - iou.numpy()
        curve[:, step] = np.bincount(groups, far) / count
        first[(iou.numpy() > GOOD_IOU) & (first > steps)] = step
        if step == steps:
            break
        slope = gradient(loss, box, target, space=space)
        length = rate * step_factor(step, steps) * (2 - iou)
        moved = _moved(box, torch.where(moving, slope, 0.0), length[:, None], log_sizes)
        lost |= ~moved.isfinite().all(dim=-1)
        box = torch.where(lost[:, None], box, moved)
        iou = overlap(box, target)
    return Trace(box, iou.numpy(), first, lost.numpy(), curve)


def gradient(loss: LabLoss, box: Tensor, target: Tensor, *, space: str = "bev") -> Tensor:
    """dL/dB of each box, (N, 7)."""
    leaf = box.clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(loss.function(leaf, target, space).sum(), leaf)
    return slope


def _moved(box: Tensor, slope: Tensor, length: Tensor, log_sizes: Tensor) -> Tensor:
    moved = box - length * slope
    if log_sizes.any():
        size, by_size = box[:, Box.SIZE], slope[:, Box.SIZE]
        factor = (-length * by_size * size).clamp(max=_LARGEST_LOG_STEP).exp()
        moved[:, Box.SIZE] = torch.where(log_sizes, size * factor, moved[:, Box.SIZE])
    return moved
