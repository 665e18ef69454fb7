"""Overlap of pairs that two indices name, such as the matches of an assigner."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_boxes, check_choice, check_same_device
from bev3d_ops import _dispatch as ops
from bev3d_ops._overlap_kinds import KINDS

__all__ = ["OverlapKind", "matched_overlap"]

OverlapKind = Literal[
    "intersection_bev",
    "iou_bev",
    "iou_3d",
    "giou_bev",
    "giou_3d",
    "diou_bev",
    "diou_3d",
    "ciou_bev",
    "ciou_3d",
    "eiou_bev",
    "eiou_3d",
    "giou_hull_bev",
    "giou_hull_3d",
]


def matched_overlap(
    pred: Tensor, target: Tensor, pred_index: Tensor, target_index: Tensor, *, kind: OverlapKind = "iou_3d"
) -> Tensor:
    """Overlap of ``pred[pred_index[k]]`` with ``target[target_index[k]]``, differentiable by both sets of boxes.

    What an assignment leaves over of the matrix of all pairs, without that matrix or a graph through it: values and
    gradients of the K pairs only. The gradients of pairs that share a box are summed in the order of the pairs, so that
    every run gives the same.

    Args:
        pred: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        target: (M, 7 or 9), on the same device.
        pred_index: (K,) int64 or int32, rows of ``pred``.
        target_index: (K,) int64 or int32, rows of ``target``.
        kind: the name of an aligned function of :mod:`bev3d.overlap`, ``"giou_hull_bev"`` and ``"giou_hull_3d"`` for
            ``enclosing="hull"``, or ``"intersection_bev"`` (square metres).

    Returns:
        (K,) in the wider dtype of the two, as the aligned function gives it.

    Raises:
        IndexError: an index outside 0 ... N - 1 or M - 1, on the CPU. On CUDA, and in a compiled graph, that is not
            looked at: such a pair has the value of a box that is none, and gradient 0.
        ValueError: wrong shapes, devices or kind.
        TypeError: boxes that are not floating-point tensors, indices that are not integers.
    """
    check_choice("kind", kind, tuple(KINDS))
    for name, boxes in (("pred", pred), ("target", target)):
        if not isinstance(boxes, Tensor):
            raise TypeError(f"{name}: expected a torch tensor, got {type(boxes).__name__}")
        check_boxes(name, boxes)
        if boxes.ndim != 2:
            raise ValueError(f"{name}: expected two dimensions, (N, 7 or 9), got {tuple(boxes.shape)}")
    check_same_device("target", target, "pred", pred)
    _check_index("pred_index", pred_index, "pred", pred)
    _check_index("target_index", target_index, "target", target)
    if pred_index.shape != target_index.shape:
        expected = f"the shape of pred_index {tuple(pred_index.shape)}"
        raise ValueError(f"target_index: expected {expected}, got {tuple(target_index.shape)}")
    return ops.matched_overlap(pred, target, pred_index.long(), target_index.long(), KINDS[kind])


def _check_index(name: str, index: Tensor, boxes_name: str, boxes: Tensor) -> None:
    if not isinstance(index, Tensor):
        raise TypeError(f"{name}: expected a torch tensor, got {type(index).__name__}")
    if index.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name}: expected dtype int64 or int32, got {index.dtype}")
    if index.ndim != 1:
        raise ValueError(f"{name}: expected shape (K,), got {tuple(index.shape)}")
    check_same_device(name, index, boxes_name, boxes)
    if index.device.type != "cpu" or index.numel() == 0 or torch.compiler.is_compiling():
        return
    low, high = (int(value) for value in index.aminmax())
    if low < 0 or high >= len(boxes):
        raise IndexError(f"{name}: expected rows 0 to {len(boxes) - 1} of {boxes_name}, got {low} to {high}")
