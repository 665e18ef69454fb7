"""The answer in sentences, each made from the numbers of the run, and only where they bear it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bev3d.lab._format import joined, number, percent
from bev3d.lab._starts import ANYWHERE

__all__ = ["verdict"]

Loss = Mapping[str, Any]
NEARLY_ALL = 0.98
ALIKE = 0.95
MANY = 0.25


def verdict(result: Mapping[str, Any]) -> str:
    """A list in markdown, most useful first."""
    losses = list(result["losses"].values())
    sentences = [write(losses) for write in (_both, _fastest, _apart, _squares, _heading, _swapped, _fragile)]
    return "\n".join(f"* {sentence}" for sentence in sentences if sentence)


def _both(losses: list[Loss]) -> str:
    good = [loss for loss in losses if loss["reached"] >= NEARLY_ALL and loss["agreement"] >= ALIKE]
    if not good:
        return "No loss both brings nearly all boxes home and orders nearly right ones as IoU does."
    good.sort(key=lambda loss: -loss["reached"])
    first, rest = good[0], good[1:]
    others = f" {joined([_with_share(loss) for loss in rest])} do so too." if rest else ""
    return (
        f"**Train with {first['title']}** if IoU is what you are judged by: it brings {percent(first['reached'])} of "
        "the boxes above IoU 0.9 and orders nearly right boxes as IoU does (agreement "
        f"{first['agreement']:.2f}).{others}"
    )


def _fastest(losses: list[Loss]) -> str:
    sure = [loss for loss in losses if loss["reached"] >= NEARLY_ALL]
    if not sure:
        return ""
    first = min(sure, key=lambda loss: loss["steps"])
    return (
        f"**Fastest** of those that bring at least {percent(NEARLY_ALL)} home: {first['title']}, a median of "
        f"{number(first['steps'])} steps to IoU 0.9; its agreement with IoU is {first['agreement']:.2f}."
    )


def _apart(losses: list[Loss]) -> str:
    lame = _where(losses, lambda loss: loss["kinds"]["apart"]["reached"] < 0.5)
    if not lame:
        return ""
    return f"**Boxes that are apart** mostly stay so under {joined(lame)}: too little gradient reaches them."


def _squares(losses: list[Loss]) -> str:
    blind = _where(losses, lambda loss: loss["kinds"]["square"]["reached"] < 0.5 <= loss["kinds"]["near"]["reached"])
    if not blind:
        return ""
    return (
        f"**The yaw of a square box** is invisible to {joined(blind)}: pedestrians and whatever is as wide as long "
        "need a loss of the heading beside them."
    )


def _heading(losses: list[Loss]) -> str:
    right = _where(_arriving(losses), lambda loss: loss["kinds"][ANYWHERE]["backwards"] < 0.01)
    wrong = [loss for loss in losses if (loss["kinds"][ANYWHERE]["backwards"] or 0) >= MANY]
    if not wrong:
        return ""
    only = f" Only {joined(right)} turn them round." if right else ""
    return (
        f"**Half a turn** costs {len(wrong)} of {len(losses)} losses nothing, so about half of the boxes end "
        f"backwards: add a direction loss.{only}"
    )


def _swapped(losses: list[Loss]) -> str:
    never = _where(_arriving(losses), lambda loss: loss["kinds"][ANYWHERE]["sides_swapped"] < 0.01)
    often = _where(losses, lambda loss: (loss["kinds"][ANYWHERE]["sides_swapped"] or 0) >= MANY)
    if not often:
        return ""
    instead = f" {joined(never)} hardly ever do." if never else ""
    return (
        f"**Length and width exchanged**: from any yaw, {joined(often)} end in the right rectangle with "
        f"the wrong side as its front in over {percent(MANY)} of the cases that reach it.{instead}"
    )


def _fragile(losses: list[Loss]) -> str:
    def width(loss: Loss) -> int:
        return sum(share >= max(loss["by_rate"].values()) - 0.05 for share in loss["by_rate"].values())

    widest = max(width(loss) for loss in losses)
    sure = [loss for loss in losses if width(loss) == widest]
    return (
        f"**Least particular about the step size**: {joined([loss['title'] for loss in sure])}, within 5 % of the best "
        f"share at {widest} of {len(losses[0]['by_rate'])} rates."
    )


def _arriving(losses: list[Loss]) -> list[Loss]:
    """Those of which enough boxes arrive to say how."""
    return [loss for loss in losses if loss["kinds"][ANYWHERE]["reached"] >= 0.5]


def _where(losses: list[Loss], holds: Callable[[Loss], bool]) -> list[str]:
    return [loss["title"] for loss in losses if holds(loss)]


def _with_share(loss: Loss) -> str:
    return f"{loss['title']} ({percent(loss['reached'])})"
