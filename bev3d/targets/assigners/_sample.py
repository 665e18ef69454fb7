"""Proposals for a second stage: a fixed number, in a fixed proportion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bev3d.targets.assigners._assignment import Array, Assignment
from bev3d.targets.assigners._inputs import check_count, check_unit
from bev3d.targets.assigners._max_iou import assign_max_iou

__all__ = ["ProposalSample", "sample_proposals"]


@dataclass(frozen=True, eq=False)
class ProposalSample:
    """K proposals: foreground, hard background, easy background, then repetitions.

    Attributes:
        index: (K,) int64, rows of the proposals.
        assignment: of these K; ``quality`` is the best overlap with an object.
    """

    index: Array
    assignment: Assignment


def sample_proposals(
    proposals: Array,
    boxes: Array,
    labels: Array,
    *,
    proposal_labels: Array | None = None,
    count: int = 128,
    foreground_fraction: float = 0.5,
    foreground: float = 0.55,
    easy_background: float = 0.1,
    hard_fraction: float = 0.8,
    repeat: bool = False,
    ignore_overlap: float | None = 0.5,
    generator: torch.Generator | None = None,
) -> ProposalSample:
    """Draw proposals to learn from (Faster R-CNN, 1506.01497; PV-RCNN, Shi et al. 2020, 1912.13192).

    A proposal whose best overlap (3D IoU, of its class if given) is at least ``foreground`` is foreground and belongs
    to that object. At most ``foreground_fraction`` of the sample is foreground; ``hard_fraction`` of the background
    comes from proposals of at least ``easy_background``, the rest from those below. Where one kind is short the others
    fill its place, background first. No proposal is drawn twice unless ``repeat``, and none that is ignored.

    Others: OpenPCDet draws its background, and a foreground without any background, with replacement even where enough
    are there, and from NumPy's and torch's global generators.

    Args:
        proposals: (P, 7 or 9).
        boxes: (G, 7 or 9), the objects; G may be 0.
        labels: (G,) integers, the class, or -1 for an object to ignore.
        proposal_labels: (P,) integers: a proposal meets the objects of its class only. None: all of them.
        count: how many to draw.
        foreground_fraction, hard_fraction: in [0, 1]; the products with a number are rounded down for the hard ones
            and to the nearest for the foreground.
        foreground, easy_background: IoU, the second at most the first.
        repeat: fill up to ``count`` by repeating the drawn ones in turn, for heads of a fixed size.
        ignore_overlap: as :func:`assign_max_iou`.
        generator: of the CPU; None: torch's global one. The same state gives the same sample on every device.

    Returns:
        K = ``count``, fewer where there are not as many to draw; 0 where there are none.

    Raises:
        ValueError, TypeError: as :func:`assign_max_iou`; fractions outside [0, 1], ``count`` below 1.
    """
    check_count("count", count)
    for name, value in (("foreground_fraction", foreground_fraction), ("hard_fraction", hard_fraction)):
        check_unit(name, value)
    if not 0 <= easy_background <= foreground <= 1:
        expected = f"0 <= easy_background <= foreground ({foreground}) <= 1"
        raise ValueError(f"easy_background: expected {expected}, got {easy_background}")
    whole = assign_max_iou(
        proposals,
        boxes,
        labels,
        anchor_labels=proposal_labels,
        matched=foreground,
        unmatched=foreground,
        overlap="3d",
        force_match="none",
        ignore_overlap=ignore_overlap,
    )
    gt_index, quality = (np.asarray(_cpu(value)) for value in (whole.gt_index, whole.quality))
    kinds = [
        np.flatnonzero(gt_index >= 0),
        np.flatnonzero((gt_index == -1) & (quality >= easy_background)),
        np.flatnonzero((gt_index == -1) & (quality < easy_background)),
    ]
    shuffled = [kind[torch.randperm(len(kind), generator=generator).numpy()] for kind in kinds]
    sizes = _sizes([len(kind) for kind in kinds], count, foreground_fraction, hard_fraction)
    index = np.concatenate([kind[:size] for kind, size in zip(shuffled, sizes, strict=True)])
    if repeat and len(index):
        index = np.resize(index, count)
    if isinstance(proposals, torch.Tensor):
        index = torch.from_numpy(index).to(proposals.device)
    return ProposalSample(index, Assignment(whole.gt_index[index], whole.labels[index], whole.quality[index]))


def _sizes(there: Sequence[int], count: int, foreground_fraction: float, hard_fraction: float) -> NDArray[np.int64]:
    """How many foreground, hard and easy background to draw of what is there."""
    foreground, hard, easy = there
    front = min(foreground, round(count * foreground_fraction))
    back = min(count - front, hard + easy)
    front = min(foreground, count - back)
    least_hard = back - min(easy, back)
    drawn_hard = min(hard, max(int(back * hard_fraction), least_hard))
    return np.array([front, drawn_hard, back - drawn_hard])


def _cpu(value: Array) -> Array:
    return value.cpu() if isinstance(value, torch.Tensor) else value
