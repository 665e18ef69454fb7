"""Point clouds, objects and outputs that tests of several modules share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from bev3d.config import Config
from bev3d.losses import direction_targets
from bev3d.models import AnchorTargets, make_targets
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


def centre_targets(config: Config, count: int = 4, seed: int = 0) -> Targets:
    targets = make_targets(config)(*objects(config, count, seed))
    assert isinstance(targets, Targets)
    return targets


def shaken(config: Config, targets: Targets) -> list[dict[str, Tensor]]:
    """Maps near the targets."""
    torch.manual_seed(0)
    outputs = perfect_maps(targets, config)
    with torch.no_grad():
        for maps in outputs:
            for name, value in maps.items():
                value += 0.1 * torch.randn_like(value) if name != "heatmap" else 0
    return outputs


def pairs(config: Config, outputs: list[dict[str, Tensor]], targets: Targets) -> list[tuple[Tensor, Tensor, int]]:
    """Predicted and true boxes, float64, and the number of objects of each task, object by object."""
    result = []
    cell_m = config.stride * config.voxel_size_m[0]
    for maps, task in zip(outputs, targets.tasks, strict=True):
        rows: list[list[list[float]]] = [[], []]
        maps = {name: value.detach() for name, value in maps.items()}
        for b, slot in task.mask.nonzero().tolist():
            cell = int(task.cell_index[b, slot])
            row, column = divmod(cell, config.output_size[0])
            for side, values in enumerate(
                (
                    {n: v[b, :, row, column] for n, v in maps.items()},
                    {n: v[b, slot] for n, v in task.regression.items()},
                )
            ):
                x = config.range_m[0] + (column + float(values["offset"][0])) * cell_m
                y = config.range_m[1] + (row + float(values["offset"][1])) * cell_m
                yaw = torch.atan2(values["heading"][0], values["heading"][1])
                sizes = values["log_size"].double().exp().tolist()
                rows[side].append([x, y, float(values["height"][0]), *sizes, float(yaw)])
        table = [torch.tensor(side, dtype=torch.float64).reshape(-1, 7) for side in rows]
        result.append((table[0], table[1], max(len(table[0]), 1)))
    return result
