"""What the network is to answer, as a layer of a picture."""

from __future__ import annotations

import torch

from bev3d.config import Config
from bev3d.data import Sample
from bev3d.models import AnchorTargets, make_targets
from bev3d.targets import OutputGrid, Targets
from bev3d.viz import HeatmapLayer, heatmap_layer

__all__ = ["about_targets", "target_layer"]


def about_targets(config: Config) -> str:
    """What pictures of targets show, in a sentence."""
    if config.head == "anchor":
        return "What the network is to answer: the cells with a positive anchor, and the box that each has to find."
    return "What the network is to answer: a Gaussian for every box, and the offset from its cell to its centre."


def target_layer(sample: Sample, config: Config) -> tuple[HeatmapLayer, str]:
    """The targets of a sample and a caption: heatmaps, or for an anchor head 1 in the cells of positive anchors."""
    targets = make_targets(config)([torch.from_numpy(sample.boxes)], [torch.from_numpy(sample.labels)])
    if isinstance(targets, Targets):
        layer = heatmap_layer(targets=targets, range_m=config.range_m)
        assert layer is not None  # targets were given
        assigned = sum(int(task.mask.sum()) for task in targets.tasks)
        dropped = len(targets.dropped[0])
        return layer, f"{assigned} boxes have a target, {dropped} have none (outside the grid or the classes)."
    left = len(targets.unassigned[0])
    text = f"{int(targets.mask.sum())} anchors are positive for {len(sample.boxes) - left} boxes"
    return _positive_anchors(targets, config), f"{text}, {left} boxes have none (outside the grid or the classes)."


def _positive_anchors(targets: AnchorTargets, config: Config) -> HeatmapLayer:
    grid = OutputGrid.of(config.range_m, config.voxel_size_m, config.stride)
    mask = targets.mask[0]
    index, boxes = targets.index[0][mask], targets.boxes[0][mask]
    place = index // (len(config.class_names) * len(config.anchor_yaws_rad))
    labels = targets.labels[0][index].long()
    values = torch.zeros(len(config.class_names), grid.rows * grid.columns)
    values[labels, place] = 1.0
    cells = torch.stack([place % grid.columns, place // grid.columns], dim=1)
    x0, y0, _, x1, y1, _ = config.range_m
    maps = values.unflatten(1, (grid.rows, grid.columns)).numpy()
    return HeatmapLayer(maps, (x0, y0, x1, y1), cells.numpy(), boxes[:, :2].double().numpy(), "targets")
