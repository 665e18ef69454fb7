"""From an anchor head's outputs to boxes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.models._anchor_head import ANCHOR_OUTPUTS
from bev3d.models._anchor_targets import anchor_classes
from bev3d.models._decode import LARGEST_LOG_SIZE
from bev3d.targets import DirectionBins, OutputGrid, ResidualCoder, generate_anchors

__all__ = ["boxes_of_code", "decode_anchors"]

Found = tuple[Tensor, Tensor, Tensor]


def boxes_of_code(code: Tensor, anchors: Tensor) -> Tensor:
    """Boxes (..., 7 or 9) of residuals to anchors (..., 7), differentiable; sizes at most e^5 of the anchor's."""
    sizes = code[..., 3:6].clamp(max=LARGEST_LOG_SIZE)
    decoded: Tensor = ResidualCoder().decode(torch.cat([code[..., :3], sizes, code[..., 6:]], dim=-1), anchors)
    return decoded


def decode_anchors(maps: Mapping[str, Tensor], config: Config) -> list[Found]:
    """Boxes of the anchors whose best class scores at least ``score_threshold``.

    At most ``max_objects`` a sample, best first. The direction's sector decides between the headings that the loss
    of the sine cannot tell apart.

    Args:
        maps: of :class:`bev3d.models.AnchorHead` for B samples.
        config: anchors, grid and threshold.

    Returns:
        For each sample boxes (K, 9), velocity NaN where it is not predicted, scores (K,) and labels (K,).
    """
    found = []
    bins = DirectionBins(config.direction_bins, config.direction_offset_rad)
    for logits, code, direction in zip(*(maps[name].detach() for name in ANCHOR_OUTPUTS), strict=True):
        scores, labels = logits.sigmoid().max(dim=-1)
        index = (scores >= config.score_threshold).nonzero()[:, 0]
        score, order = scores[index].sort(descending=True, stable=True)
        index, score = index[order[: config.max_objects]], score[: config.max_objects]
        boxes = boxes_of_code(code[index].double(), _anchors_at(index, config))
        yaw = bins.decode(boxes[:, 6], direction[index].argmax(dim=-1))
        velocity = boxes[:, 7:] if boxes.shape[1] == 9 else boxes.new_full((len(boxes), 2), torch.nan)
        boxes = torch.cat([boxes[:, :6], yaw[:, None], velocity], dim=1)
        found.append((boxes.to(scores.dtype), score, labels[index]))
    return found


def _anchors_at(index: Tensor, config: Config) -> Tensor:
    """Boxes (K, 7) float64 of anchors (K,) of the grid, without making all of them, on the index's device."""
    grid = OutputGrid.of(config.range_m, config.voxel_size_m, config.stride)
    one = OutputGrid(grid.range_m, grid.cell_m, 1, 1)
    cell = generate_anchors(one, anchor_classes(config), dtype=torch.float64).boxes.to(index.device)
    place, kind = index // len(cell), index % len(cell)
    anchors = cell[kind]
    numbers = (place % grid.columns, place // grid.columns)
    for axis, (number, count) in enumerate(zip(numbers, (grid.columns, grid.rows), strict=True)):
        low, high = grid.range_m[axis], grid.range_m[axis + 3]
        if config.anchor_align == "cell_centre":
            anchors[:, axis] = low + (number + 0.5) * grid.cell_m[axis]
        else:
            anchors[:, axis] = low + number * ((high - low) / max(count - 1, 1))
    return anchors
