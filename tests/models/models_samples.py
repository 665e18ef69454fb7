"""Point clouds, objects and outputs that tests of several modules share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from bev3d.config import Config
from bev3d.losses import direction_targets
from bev3d.models import AnchorTargets
from bev3d.targets import Targets

Boxes = tuple[list[Tensor], list[Tensor]]


def cloud(config: Config, count: int, seed: int = 0) -> np.ndarray:
    """(count, 5) points, a tenth of them outside the range."""
    random = np.random.default_rng(seed)
    low, high = np.array(config.range_m[:3]), np.array(config.range_m[3:])
    points = np.empty((count, 5), np.float32)
    points[:, :3] = random.uniform(low, low + (high - low) / 0.97, (count, 3))
    points[:, 3:] = random.uniform(0, (1, 0.25), (count, 2))
    return points


def objects(config: Config, count: int, seed: int = 0, samples: int = 2) -> Boxes:
    """Boxes (count, 9) and labels of each of ``samples`` frames, in the middle of the range."""
    random = np.random.default_rng(seed)
    low, high = np.array(config.range_m[:3]), np.array(config.range_m[3:])
    boxes, labels = [], []
    for _ in range(samples):
        table = np.empty((count, 9))
        table[:, :3] = random.uniform(low + 0.15 * (high - low), high - 0.15 * (high - low), (count, 3))
        table[:, 3:6] = random.uniform(0.5, 3.0, (count, 3))
        table[:, 6] = random.uniform(-np.pi, np.pi, count)
        table[:, 7:] = random.normal(size=(count, 2))
        boxes.append(torch.from_numpy(table))
        labels.append(torch.from_numpy(random.integers(0, len(config.class_names), count)))
    return boxes, labels


def no_objects(samples: int = 2) -> Boxes:
    """Frames without any."""
    empty = torch.zeros(0, 9, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    return [empty[0]] * samples, [empty[1]] * samples


def perfect_maps(targets: Targets, config: Config) -> list[dict[str, Tensor]]:
    """Maps of a centre head that hold the targets; unknown velocities 0, predicted overlap 1."""
    columns, rows = config.output_size
    outputs = []
    for task in targets.tasks:
        maps = {"heatmap": torch.where(task.heatmap == 1, 30.0, -30.0)}
        for name, values in task.regression.items():
            if name == "velocity" and not config.velocity_head:
                continue
            flat = torch.zeros(len(values), values.shape[-1], rows * columns)
            for b, slot in task.mask.nonzero().tolist():
                flat[b, :, task.cell_index[b, slot]] = values[b, slot].nan_to_num()
            maps[name] = flat.unflatten(2, (rows, columns))
        if config.iou_head:
            maps["iou"] = torch.ones(len(task.mask), 1, rows, columns)
        outputs.append({name: value.requires_grad_() for name, value in maps.items()})
    return outputs


def perfect_anchors(targets: AnchorTargets, config: Config) -> list[dict[str, Tensor]]:
    """Outputs of an anchor head that hold the targets; unknown velocities 0."""
    labels = targets.labels.long()
    samples, anchors = labels.shape
    logits = torch.full((samples, anchors, len(config.class_names)), -30.0)
    code = torch.zeros(samples, anchors, 9 if config.velocity_head else 7)
    direction = torch.full((samples, anchors, config.direction_bins), -30.0)
    for b, slot in targets.mask.nonzero().tolist():
        place = targets.index[b, slot]
        logits[b, place, labels[b, place]] = 30.0
        code[b, place] = targets.code[b, slot, : code.shape[-1]].nan_to_num()
        yaw = targets.boxes[b, slot, 6]
        direction[b, place, direction_targets(yaw, bins=config.direction_bins)] = 30.0
    outputs = {"class_logits": logits, "box_code": code, "direction_logits": direction}
    return [{name: value.requires_grad_() for name, value in outputs.items()}]


def silent(detector: nn.Module) -> set[str]:
    """Biases in front of a batch norm, which takes them out again."""
    names = set()
    for name, module in detector.named_modules():
        layers = list(module.named_children()) if isinstance(module, nn.Sequential) else []
        for (key, layer), (_, after) in pairwise(layers):
            if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d) and layer.bias is not None:
                names.add(f"{name}.{key}.bias")
    return names
