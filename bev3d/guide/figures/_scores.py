"""Classification, qualities, anchors and heatmaps: losses along the logit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bev3d import losses
from bev3d.boxes import Box
from bev3d.compat import openpcdet_heatmap_focal_loss
from bev3d.guide._curves import Curve, Panel, sweep

__all__ = ["anchors", "classification", "heatmap", "quality"]

LOGIT = "logit"


def classification() -> list[Panel]:
    """Positives, negatives, and a softmax over frequent and rare classes."""

    def panel(title: str, label: float) -> Panel:
        def focal(gamma: float, alpha: float) -> Callable[[Tensor], Tensor]:
            return lambda x: losses.focal_loss(x, torch.full_like(x, label), alpha=alpha, gamma=gamma)

        curves = [
            sweep("cross entropy", lambda x: losses.binary_cross_entropy(x, torch.full_like(x, label)), -5, 5),
            sweep("focal γ 2, no α", focal(2, -1), -5, 5),
            sweep("focal γ 2, α ¼", focal(2, 0.25), -5, 5),
            sweep("focal γ ½, no α", focal(0.5, -1), -5, 5),
        ]
        return Panel(title, LOGIT, curves, (0, 4.2), (-1.1, 1.1))

    return [panel("A positive", 1.0), panel("A negative", 0.0), _rare_class()]


def _rare_class() -> Panel:
    """A label of a frequent class 0, against the logit of the other class, 1."""

    def pair(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.stack([torch.zeros_like(x), x], 1), torch.zeros(len(x), dtype=torch.int64)

    def seesaw(counts: tuple[float, float]) -> Callable[[Tensor], Tensor]:
        return lambda x: losses.seesaw_loss(*pair(x), torch.tensor(counts))

    return Panel(
        "Softmax: the logit of a wrong class",
        "logit, that of the label being 0",
        [
            sweep("cross entropy", lambda x: losses.cross_entropy(*pair(x)), -5, 5),
            sweep("softmax focal", lambda x: losses.softmax_focal_loss(*pair(x)), -5, 5),
            sweep("seesaw, 100x rarer", seesaw((1000, 10)), -5, 5),
            sweep("seesaw, as frequent", seesaw((1000, 1000)), -5, 5),
        ],
        (0, 8),
    )


def quality() -> list[Panel]:
    """Scores that shall become an IoU, and a distance between two bins."""

    def soft(title: str, label: float) -> Panel:
        def target(x: Tensor) -> Tensor:
            return torch.full_like(x, label)

        curves = [
            sweep("cross entropy", lambda x: losses.binary_cross_entropy(x, target(x)), -5, 5),
            sweep("quality focal", lambda x: losses.quality_focal_loss(x, target(x)), -5, 5),
            sweep("varifocal", lambda x: losses.varifocal_loss(x, target(x)), -5, 5),
        ]
        return Panel(title, LOGIT, curves, (0, 3.2), (-0.85, 1.05))

    def bins(x: Tensor) -> tuple[Tensor, Tensor]:
        rest = torch.full_like(x, -2.0)
        return torch.stack([rest, torch.zeros_like(x), x, rest], -1), torch.full_like(x, 1.3)

    distance = [
        sweep("distribution focal", lambda x: losses.distribution_focal_loss(*bins(x)), -5, 5),
        sweep("generalized, β 2", lambda x: losses.generalized_focal_loss(*bins(x)), -5, 5),
    ]
    return [
        soft("A positive of IoU 0.7", 0.7),
        soft("A negative", 0.0),
        Panel("A distance of 1.3 bins", "logit of bin 2, bin 1 at 0", distance),
    ]


def anchors() -> list[Panel]:
    """Entropy of soft targets, and the centre-ness along and across a box."""

    def entropy(label: float) -> Curve:
        return sweep(f"target {label:g}", lambda x: losses.centerness_loss(x, torch.full_like(x, label)), -5, 5)

    def three(points: Tensor) -> Tensor:
        box = torch.tensor([0.0, 0, 0, 4, 2, 1.5, 0], dtype=points.dtype)
        return losses.centerness_target(points, box.expand(len(points), len(Box) - 2))

    def along(name: str, axes: tuple[int, ...]) -> Curve:
        half = torch.tensor([2.0, 1.0, 0.75], dtype=torch.float64)
        share = torch.linspace(0, 1.1, 401, dtype=torch.float64)
        points = torch.zeros(len(share), 3, dtype=torch.float64)
        for axis in axes:
            points[:, axis] = share * half[axis]
        value = three(points)
        slope = torch.gradient(value, spacing=(share,))[0]
        return Curve(name, share.numpy(), value.numpy(), slope.numpy())

    curves = [along("along one axis", (0,)), along("along two", (0, 1)), along("along all three", (0, 1, 2))]
    return [
        Panel("centerness_loss rests above 0", LOGIT, [entropy(t) for t in (1.0, 0.8, 0.5, 0.0)], (0, 4.2)),
        Panel(
            "centerness_target, centre to rim", "share of the way to the rim", curves,
            (0, 1.05), (-4, 0.3), ("target", "its slope"),
        ),
    ]  # fmt: skip


def heatmap() -> list[Panel]:
    """Peak, neighbour of a peak, background; the clamped form that is usual elsewhere in grey."""

    def clamped(label: float) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.stack(
            [openpcdet_heatmap_focal_loss(v.reshape(1, 1, 1, 1), torch.full((1, 1, 1, 1), label).to(v)) for v in x]
        )

    def panel(title: str, label: float, limits: tuple[float, float]) -> Panel:
        def ours(x: Tensor) -> Tensor:
            return losses.heatmap_focal_loss(x, torch.full_like(x, label))

        curves = [
            sweep("heatmap focal", ours, -14, 14),
            sweep("clamped, as usual", clamped(label), -14, 14, steps=281, other=True),
        ]
        return Panel(title, LOGIT, curves, limits)

    return [
        panel("Peak, y = 1", 1.0, (0, 15)),
        panel("Beside a peak, y = 0.8", 0.8, (0, 0.024)),
        panel("Background, y = 0", 0.0, (0, 15)),
    ]
