"""Around the kernels: who takes part, who meets whom, how many stay. Nothing here waits for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_of_each", "check_scores", "dense", "groups_of", "ranked", "to_front", "without"]


def ranked(scores: Tensor) -> Tensor:
    """Indices by descending score, equal scores by index, NaN last."""
    keys = torch.where(scores.isnan(), -torch.inf, scores) + 0.0
    return torch.sort(keys, descending=True, stable=True).indices


def groups_of(labels: Tensor | None, batch: Tensor | None) -> Tensor | None:
    """One integer for each pair of label and sample, whatever their values; None where there are neither."""
    if labels is None or batch is None:
        return labels if batch is None else batch
    return dense(labels) * len(labels) + dense(batch)


def dense(values: Tensor) -> Tensor:
    """For every value (N,) int64 how many smaller ones there are, each counted once."""
    by_value = torch.sort(values)
    steps = torch.zeros_like(values)
    steps[1:] = by_value.values[1:] != by_value.values[:-1]
    return torch.empty_like(values).scatter_(0, by_value.indices, steps.cumsum(0))


def without(scores: Tensor, groups: Tensor | None, score_threshold: float | None, pre_max: int | None) -> Tensor:
    """Scores that are NaN, so that the box takes no part, below the threshold and after the best of each group."""
    if score_threshold is not None:
        scores = torch.where(scores < score_threshold, torch.nan, scores)
    if pre_max is not None and pre_max < len(scores):
        order = ranked(scores)
        stays = best_of_each(None if groups is None else groups[order], len(order), pre_max, order.device)
        scores = torch.where(torch.empty_like(stays).scatter_(0, order, stays), scores, torch.nan)
    return scores


def best_of_each(groups: Tensor | None, count: int, most: int, device: torch.device) -> Tensor:
    """Whether each of ``count`` is among the first ``most`` of its group, (N,) bool; groups in the order of rank."""
    places = torch.arange(count, device=device)
    if groups is None:
        return places < most
    by_group = torch.sort(groups, stable=True)
    is_first = torch.ones_like(places, dtype=torch.bool)
    is_first[1:] = by_group.values[1:] != by_group.values[:-1]
    first = torch.where(is_first, places, 0).cummax(0).values if count else places
    return torch.empty_like(is_first).scatter_(0, by_group.indices, places - first < most)


def to_front(values: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """``values`` (N,) with those ``wanted`` first, in their order, and how many these are, ()."""
    last = (~wanted).to(torch.uint8)  # older versions sort no bool on CUDA
    return values[torch.sort(last, stable=True).indices], wanted.sum()


def check_scores(scores: Tensor, count: Tensor, *, are_weights: bool) -> int:
    """The count as a number, the one time that the host waits; raises where scores are none.

    ``are_weights``: they have to be finite and at least 0 as well.
    """
    bad = ~(scores >= 0) | scores.isinf() if are_weights else scores.isnan()
    number, wrong = torch.stack([count, bad.sum()]).tolist()
    if wrong:
        first = int(bad.nonzero()[0, 0])
        expected = "finite numbers >= 0" if are_weights else "no NaN"
        got = float(scores[first])
        raise ValueError(f"scores: expected {expected}, got {'one' if got != got else got} at index {first}")
    return int(number)
