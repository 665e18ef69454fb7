"""Test-time merging: a sample seen again in mirror images, and the answers mirrored back and joined.

Of a centre head the maps are averaged, as CenterPoint does (Yin et al. 2021, arXiv 2006.11275, "double flip"); of any
other head the boxes are merged by their overlap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d._errors import UserError
from bev3d.boxes import flip_boxes
from bev3d.config import Config
from bev3d.models import ModelInputs, make_inputs
from bev3d.nms import nms_weighted
from bev3d.training._by_class import by_threshold

__all__ = ["Views", "flips_of", "has_heatmaps", "make_views", "mean_maps", "merge_boxes", "unflip_boxes", "unflip_maps"]

Axis: TypeAlias = Literal["x", "y"]
Flip: TypeAlias = tuple[Axis, ...]
Views: TypeAlias = tuple[ModelInputs, ...]
Maps: TypeAlias = Mapping[str, Tensor]
Found: TypeAlias = tuple[Tensor, Tensor, Tensor]

_FLIPS: dict[str, tuple[Flip, ...]] = {
    "none": ((),),
    "x": ((), ("x",)),
    "y": ((), ("y",)),
    "both": ((), ("x",), ("y",), ("x", "y")),
}
_COLUMN: dict[Axis, int] = {"x": 0, "y": 1}
# dimension of the maps along which a coordinate runs
_DIMENSION: dict[Axis, int] = {"x": -1, "y": -2}
# the component of a map whose sign changes with that of a coordinate; of the heading (sin, cos) it is the cosine for x,
# where yaw becomes pi - yaw, and the sine for y, where it becomes -yaw
_CHANGES_SIGN: dict[str, dict[Axis, int]] = {"heading": {"x": 1, "y": 0}, "velocity": {"x": 0, "y": 1}}
_STAYS = {"heatmap", "height", "log_size", "iou"}


def flips_of(config: Config) -> tuple[Flip, ...]:
    """The coordinates whose sign changes in each view; the first view is the sample as it is."""
    return _FLIPS[config.double_flip]


def make_views(clouds: Sequence[NDArray[np.float32]], config: Config) -> Views:
    """What the network reads, once for each of :func:`flips_of`.

    Args:
        clouds: B point clouds (P, 5), see :func:`bev3d.models.make_inputs`.
        config: encoder, grid and ``double_flip``.
    """
    return tuple(make_inputs([_flip_cloud(cloud, flip) for cloud in clouds], config) for flip in flips_of(config))


def _flip_cloud(cloud: NDArray[np.float32], flip: Flip) -> NDArray[np.float32]:
    if not flip:
        return cloud
    flipped = cloud.copy()
    for axis in flip:
        flipped[:, _COLUMN[axis]] *= -1
    return flipped


def has_heatmaps(outputs: Any) -> bool:
    """Whether these are a centre head's: maps by name for each task, a heatmap among them."""
    return isinstance(outputs, Sequence) and all(isinstance(task, Mapping) and "heatmap" in task for task in outputs)


def unflip_maps(maps: Maps, flip: Flip) -> dict[str, Tensor]:
    """Maps of a mirror image as the maps of the sample itself.

    A cell c of W becomes W - 1 - c, and the offset o from its lower border, in cells, 1 - o.

    Args:
        maps: (B, c, H, W) by name: heatmap, offset, height, log_size, heading, velocity, iou.
        flip: coordinates whose sign was changed.

    Raises:
        UserError: a map of another name, of which nothing says how it is mirrored.
    """
    result = {}
    for name, values in maps.items():
        for axis in flip:
            values = values.flip(_DIMENSION[axis])
            if name == "offset":
                values = _change(values, _COLUMN[axis], lambda offset: 1 - offset)
            elif name in _CHANGES_SIGN:
                values = _change(values, _CHANGES_SIGN[name][axis], torch.neg)
            elif name not in _STAYS:
                known = ", ".join(sorted({*_STAYS, *_CHANGES_SIGN, "offset"}))
                raise UserError(f"double_flip: expected maps out of {known}, got '{name}': set double_flip to none")
        result[name] = values
    return result


def _change(values: Tensor, component: int, change: Any) -> Tensor:
    """A copy in which one component is changed (flipping has made one already)."""
    values[:, component] = change(values[:, component])
    return values


def mean_maps(views: Sequence[Maps]) -> dict[str, Tensor]:
    """The mean over views of one task: of probabilities, and of what the regression stands for.

    The heatmap comes back as logits of the mean probability, log sizes as logarithms of the mean sizes; all other
    maps, sin and cos of the heading among them, are averaged as they are.
    """
    if len(views) == 1:
        return dict(views[0])
    result = {}
    for name in views[0]:
        values = torch.stack([maps[name] for maps in views])
        if name == "heatmap":
            # float64: a probability near 1 has no logit in float32
            result[name] = torch.logit(values.double().sigmoid().mean(0)).to(values.dtype)
        elif name == "log_size":
            result[name] = values.logsumexp(0) - math.log(len(views))
        else:
            result[name] = values.mean(0)
    return result


def unflip_boxes(found: Sequence[Found], flip: Flip) -> list[Found]:
    """Boxes (K, 9) that were found in a mirror image, where they are in the sample itself."""
    result = []
    for boxes, scores, labels in found:
        for axis in flip:
            boxes = flip_boxes(boxes, axis)
        result.append((boxes, scores, labels))
    return result


def merge_boxes(views: Sequence[Found], config: Config) -> Found:
    """Boxes of all views of one sample, those of a class that overlap by more than ``nms_iou`` merged into one.

    A box that only some views see keeps its score; see :func:`bev3d.nms.nms_weighted`.
    """
    boxes, scores, labels = (torch.cat(column) for column in zip(*views, strict=True))
    merged: list[Found] = []
    for threshold, members in by_threshold(labels, config.nms_iou):
        result = nms_weighted(boxes[members], scores[members], threshold, labels=labels[members])
        merged.append((result.boxes, result.scores, labels[members][result.indices]))
    if not merged:
        return boxes, scores, labels
    return tuple(torch.cat(column) for column in zip(*merged, strict=True))  # type: ignore[return-value]  # three
