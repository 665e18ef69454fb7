"""Sets, Lovász, boundaries and learnt weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d import losses
from bev3d.guide._curves import Curve, Panel, sweep

__all__ = ["boundary", "lovasz", "sets", "together"]

P = "probability p of the foreground"


def sets() -> list[Panel]:
    """A map of 100 cells with 10 of the object: soft labels, confidence, and what is missed or invented."""

    def labels(value: float) -> Tensor:
        g = torch.zeros(100, dtype=torch.float64)
        g[:10] = value
        return g

    def on_object(loss: Callable[..., Tensor], label: float, **options: Any) -> Callable[[Tensor], Tensor]:
        """The object's cells have p, the others 0."""

        def of(p: Tensor) -> Tensor:
            p = p.clamp(1e-9, 1 - 1e-9)
            logits = torch.full((len(p), 1, 100), -40.0, dtype=torch.float64)
            logits[:, 0, :10] = torch.logit(p)[:, None]
            target = labels(label).expand(len(p), 1, 100)
            return loss(logits, target, activation="sigmoid", smooth=0.0, **options)[:, 0]

        return of

    def invented(loss: Callable[..., Tensor], **options: Any) -> Callable[[Tensor], Tensor]:
        """The object's cells are right, ten others have p."""

        def of(p: Tensor) -> Tensor:
            p = p.clamp(1e-9, 1 - 1e-9)
            logits = torch.full((len(p), 1, 100), -40.0, dtype=torch.float64)
            logits[:, 0, :10] = 40.0
            logits[:, 0, 10:20] = torch.logit(p)[:, None]
            target = labels(1.0).expand(len(p), 1, 100)
            return loss(logits, target, activation="sigmoid", smooth=0.0, **options)[:, 0]

        return of

    soft = [
        sweep("dice, sum", on_object(losses.dice_loss, 0.6), 0.02, 0.98),
        sweep("dice, squared", on_object(losses.dice_loss, 0.6, denominator="squared"), 0.02, 0.98),
    ]
    missed = [
        sweep("dice, sum", on_object(losses.dice_loss, 1.0), 0.02, 0.98),
        sweep("dice, squared", on_object(losses.dice_loss, 1.0, denominator="squared"), 0.02, 0.98),
        sweep("jaccard", on_object(losses.jaccard_loss, 1.0), 0.02, 0.98),
        sweep("tversky .3 .7", on_object(losses.tversky_loss, 1.0), 0.02, 0.98),
        sweep("focal_tversky", on_object(losses.focal_tversky_loss, 1.0), 0.02, 0.98),
        sweep("log_dice", on_object(losses.log_dice_loss, 1.0), 0.02, 0.98),
    ]
    extra = [
        sweep("dice, sum", invented(losses.dice_loss), 0.02, 0.98),
        sweep("dice, squared", invented(losses.dice_loss, denominator="squared"), 0.02, 0.98),
        sweep("jaccard", invented(losses.jaccard_loss), 0.02, 0.98),
        sweep("tversky .3 .7", invented(losses.tversky_loss), 0.02, 0.98),
        sweep("focal_tversky", invented(losses.focal_tversky_loss), 0.02, 0.98),
        sweep("log_dice", invented(losses.log_dice_loss), 0.02, 0.98),
    ]
    return [
        Panel("Labels of 0.6: two optima", "p on the object, the rest is right", soft, (0, 1.05), (-2, 0.6)),
        Panel("Missed: p on the object", "p on the object, the rest is right", missed, (0, 2), (-4, 0.3)),
        Panel("Invented: p on as many others", "p on ten other cells, the rest is right", extra, (0, 1), (-0.1, 1)),
    ]


def lovasz() -> list[Panel]:
    """All cells equally sure, and one object of two sizes of which half is missed."""

    def scene(pixels: int, wrong: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """An object of ``pixels`` cells of 100; the first ``wrong`` of it have logit x, all others are right."""

        def of(x: Tensor) -> tuple[Tensor, Tensor]:
            target = torch.zeros(100, dtype=torch.int64)
            target[:pixels] = 1
            logits = torch.where(target.bool(), 6.0, -6.0).to(x.dtype).repeat(len(x), 1)
            logits[:, :wrong] = x[:, None]
            return logits, target.expand(len(x), 100)

        return of

    def hinge(make: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
        return lambda x: losses.lovasz_hinge_loss(*make(x))

    def softmax(make: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
        def of(x: Tensor) -> Tensor:
            logits, target = make(x)
            both = torch.stack([-logits / 2, logits / 2], 1)
            return losses.lovasz_softmax_loss(both, target, per_sample=True).mean(1)

        return of

    def entropy(make: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
        return lambda x: losses.binary_cross_entropy(make(x)[0], make(x)[1].to(x.dtype)).mean(1)

    def panel(title: str, pixels: int, wrong: int) -> Panel:
        make = scene(pixels, wrong)
        curves = [
            sweep("lovasz_hinge", hinge(make), -4, 4),
            sweep("lovasz_softmax", softmax(make), -4, 4),
            sweep("mean cross entropy", entropy(make), -4, 4),
        ]
        return Panel(title, "logit of the five cells", curves, (-0.1, 2.6), (-0.6, 0.06))

    return [panel("Five cells of an object of 50", 50, 5), panel("Five cells of an object of 10", 10, 5)]


def boundary() -> list[Panel]:
    """The boundary loss of a disc, the weights between two objects, and Boundary IoU against IoU."""
    y, x = torch.meshgrid(torch.arange(129.0), torch.arange(129.0), indexing="ij")
    disc = (x - 64).square() + (y - 64).square() <= 20**2
    distance = losses.signed_distance_map(disc)[None, None].double()

    def shifted(radius: Tensor) -> Tensor:
        away = ((x - 64).square() + (y - 64).square()).sqrt().double()
        logits = 4 * (radius[:, None, None] - away)
        return losses.boundary_loss(logits[:, None], distance.expand(len(radius), 1, 129, 129)).mean((1, 2, 3))

    def metric(name: str, score: Callable[[torch.Tensor, torch.Tensor], Tensor]) -> Curve:
        radii = torch.arange(4, 61, dtype=torch.float64)
        values = []
        for radius in radii:
            one = (x - 64).square() + (y - 64).square() <= radius**2
            values.append(float(score(one, one.roll(2, dims=1))))
        value = torch.tensor(values, dtype=torch.float64)
        slope = torch.gradient(value, spacing=(radii,))[0]
        return Curve(name, radii.numpy(), value.numpy(), slope.numpy())

    def iou(a: Tensor, b: Tensor) -> Tensor:
        return (a & b).sum() / (a | b).sum()

    gap = torch.arange(1, 41)
    weights = []
    for width in gap.tolist():
        row = torch.zeros(3, 60, dtype=torch.int64)
        row[:, :5], row[:, 5 + width :] = 1, 2
        weights.append(float(losses.unet_border_weights(row)[1, 5 + width // 2]))
    height = torch.tensor(weights, dtype=torch.float64)
    ridge = Curve(
        "w0 10, σ 5", gap.double().numpy(), height.numpy(), torch.gradient(height, spacing=(gap.double(),))[0].numpy()
    )
    return [
        Panel("boundary_loss of a disc of radius 20", "radius that is predicted, cells", [
            sweep("p · distance", shifted, 2, 40, steps=191)]),
        Panel("unet_border_weights half way", "gap between two objects, pixels", [ridge],
              rows=("weight", "its slope")),
        Panel("A disc that is 2 cells off: metrics", "its radius, cells", [
            metric("IoU", iou), metric("boundary_iou", losses.boundary_iou)], (0, 1), rows=("score", "its slope")),
    ]  # fmt: skip


def together() -> list[Panel]:
    """What the learnt uncertainty of a term does to the sum."""

    def weighed(term: float) -> Curve:
        module = losses.UncertaintyWeighting({"term": "regression"}).double()
        parameter = module.log_variances["term"]
        at = torch.linspace(-5, 5, 201, dtype=torch.float64)
        points = []
        for s in at:
            parameter.data.copy_(s)
            total = module({"term": torch.tensor(term, dtype=torch.float64)}).total
            points.append((total.item(), torch.autograd.grad(total, parameter)[0].item()))
        value, slope = np.array(points).T
        return Curve(f"term of {term:g}", at.numpy(), value, slope)

    curves = [weighed(term) for term in (10.0, 1.0, 0.1)]
    return [Panel("UncertaintyWeighting, regression", "s, log variance", curves, (-3, 12), (-6, 1.2))]
