"""What became of every box: counts of a sample, and their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bev3d.data import Sample
from bev3d.targets import Targets

__all__ = ["count_sample", "sum_counts"]


def count_sample(sample: Sample, targets: Targets) -> dict[str, Any]:
    """Counts of one sample, JSON values.

    Returns:
        ``classes``: name -> {boxes, assigned, collisions, dropped: {reason: n}}, where a collision is an assigned box
        whose cell an earlier box of its task has taken; ``other``: raw name -> boxes outside the classes. With them,
        boxes = sum over classes of (assigned + dropped) + sum of other.
    """
    classes = {name: _empty() for name in sample.class_names}
    other: Counter[str] = Counter()
    labels = sample.labels.tolist()
    for label, raw in zip(labels, sample.names, strict=True):
        if label < 0:
            other[raw] += 1
        else:
            classes[sample.class_names[label]]["boxes"] += 1
    for index, reason in targets.dropped[0].items():
        if labels[index] >= 0:
            dropped = classes[sample.class_names[labels[index]]]["dropped"]
            dropped[reason] = dropped.get(reason, 0) + 1
    for task in targets.tasks:
        used = task.mask[0].numpy()
        box, cell = task.box_index[0].numpy()[used], task.cell_index[0].numpy()[used]
        first = np.unique(cell, return_index=True)[1]
        for slot, index in enumerate(box.tolist()):
            counts = classes[sample.class_names[labels[index]]]
            counts["assigned"] += 1
            counts["collisions"] += int(slot not in first)
    return {"classes": classes, "other": dict(sorted(other.items()))}


def sum_counts(counts: Iterable[dict[str, Any]], class_names: Sequence[str]) -> dict[str, Any]:
    """Sum over samples, with ``total`` beside ``classes`` and ``other``.

    Raises:
        RuntimeError: a class whose boxes are not all accounted for, which is a bug of bev3d.
    """
    classes = {name: _empty() for name in class_names}
    other: Counter[str] = Counter()
    for sample in counts:
        other.update(sample["other"])
        for name, values in sample["classes"].items():
            _add(classes[name], values)
    total = _empty()
    for name, values in classes.items():
        if values["boxes"] != values["assigned"] + sum(values["dropped"].values()):
            raise RuntimeError(f"targets: the boxes of {name} are not all accounted for: {values}")
        _add(total, values)
    outside = sum(other.values())
    total["boxes"] += outside
    if outside:
        total["dropped"]["not_a_class"] = outside
    return {"total": total, "classes": classes, "other": dict(sorted(other.items()))}


def _empty() -> dict[str, Any]:
    return {"boxes": 0, "assigned": 0, "collisions": 0, "dropped": {}}


def _add(counts: dict[str, Any], more: dict[str, Any]) -> None:
    for key in ("boxes", "assigned", "collisions"):
        counts[key] += more[key]
    for reason, number in sorted(more["dropped"].items()):
        counts["dropped"][reason] = counts["dropped"].get(reason, 0) + number
