"""Kinds of errors, reliability and confusion the slow way: dictionaries and loops, no arrays of pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Thing", "plain_confusion", "plain_kinds", "plain_reliability"]


@dataclass
class Thing:
    """A detection or an object: sample, class and anything that tells how close two are."""

    sample: int
    label: int
    place: Any
    score: float = 0.0
    hit: int = -1


def plain_kinds(
    found: list[Thing], truth: list[Thing], closeness: Any, least: list[float], background: float
) -> tuple[list[str], list[int], list[bool]]:
    """Kind of each detection, the object it is about, and which objects are missed."""
    taken = {thing.hit for thing in found if thing.hit >= 0}
    kinds, targets = [], []
    for thing in found:
        if thing.hit >= 0:
            kinds.append("hit")
            targets.append(thing.hit)
            continue
        there = {
            i: closeness(thing, other)
            for i, other in enumerate(truth)
            if other.sample == thing.sample and closeness(thing, other) > background
        }

        def pick(numbers: list[int], there: dict[int, float] = there) -> int:
            free = [i for i in numbers if i not in taken]
            return max(free or numbers, key=lambda i: (there[i], -i))

        inside = [i for i in there if there[i] > least[truth[i].label]]
        own = [i for i in there if truth[i].label == thing.label]
        if inside:
            closest = max(there[i] for i in inside)
            nearest = [i for i in inside if there[i] == closest]
            if any(truth[i].label == thing.label for i in nearest):
                kinds.append("duplicate")
                targets.append(max((i for i in inside if i in own), key=lambda i: (there[i], -i)))
            else:
                kinds.append("classification")
                targets.append(pick([i for i in inside if i not in own]))
        elif own:
            kinds.append("localisation")
            targets.append(pick(own))
        elif there:
            kinds.append("both")
            targets.append(pick(list(there)))
        else:
            kinds.append("background")
            targets.append(-1)
    about = {t for kind, t in zip(kinds, targets, strict=True) if kind in ("classification", "localisation")}
    return kinds, targets, [i not in taken and i not in about for i in range(len(truth))]


def plain_reliability(scores: list[float], hits: list[bool], bins: int) -> tuple[float, float, list[float]]:
    """Expected calibration error, Brier score, share of hits by bin."""
    shares, ece = [], 0.0
    for b in range(bins):
        mine = [
            (s, h)
            for s, h in zip(scores, hits, strict=True)
            if b / bins <= s < (b + 1) / bins or (b == bins - 1 and s == 1)
        ]
        if not mine:
            shares.append(math.nan)
            continue
        share = sum(h for _, h in mine) / len(mine)
        ece += len(mine) / len(scores) * abs(share - sum(s for s, _ in mine) / len(mine))
        shares.append(share)
    return ece, sum((s - h) ** 2 for s, h in zip(scores, hits, strict=True)) / len(scores), shares


def plain_confusion(
    found: list[Thing], truth: list[Thing], closeness: Any, least: list[float], thresholds: list[float]
) -> list[list[int]]:
    """Counts: rows ground truth and background, columns detections and background."""
    size = len(thresholds)
    counts = [[0] * (size + 1) for _ in range(size + 1)]
    free = set(range(len(truth)))
    order = sorted(range(len(found)), key=lambda k: (found[k].score, k), reverse=True)
    for k in order:
        thing = found[k]
        if thing.score < thresholds[thing.label]:
            continue
        near = [
            i
            for i in sorted(free)
            if truth[i].sample == thing.sample and closeness(thing, truth[i]) > least[truth[i].label]
        ]
        if near:
            best = max(near, key=lambda i: (closeness(thing, truth[i]), -i))
            free.remove(best)
            counts[truth[best].label][thing.label] += 1
        else:
            counts[size][thing.label] += 1
    for i in free:
        counts[truth[i].label][size] += 1
    return counts
