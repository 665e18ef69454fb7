"""Which losses belong together, told by the modules that define them, so that a new export finds its place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from bev3d import compat, losses
from bev3d.guide import figures
from bev3d.guide._curves import Panel

__all__ = ["FAMILIES", "Family", "compat_functions", "members", "module_of", "normalisers"]


@dataclass(frozen=True)
class Family:
    """Attributes:
    key: of its text, its example and its figures.
    title: of its section.
    modules: of ``bev3d.losses``, without the leading underscore.
    figure: what its panels are; None where it has none.
    also: names from other modules.
    """

    key: str
    title: str
    modules: Sequence[str] = ()
    figure: Callable[[], list[Panel]] | None = None
    also: Sequence[str] = ()


FAMILIES = (
    Family(
        "classification",
        "Classification",
        ("binary_cross_entropy", "cross_entropy", "focal", "seesaw", "ghm"),
        figures.classification,
    ),
    Family("quality", "Scores with a quality", ("quality_focal",), figures.quality),
    Family("anchors", "Anchors and points", ("centerness", "mining"), figures.anchors),
    Family("heatmap", "Heatmaps", ("heatmap_focal", "gathered_focal"), figures.heatmap),
    Family("gather", "Regression at cells", ("gather_regression",), figures.gather),
    Family("regression", "Coordinates", ("regression",), figures.regression, ("ghm_regression_loss",)),
    Family("likelihood", "Coordinates with an uncertainty", ("likelihood",), figures.likelihood),
    Family("heading", "Heading and velocity", ("heading", "heading_bins"), figures.heading),
    Family("box_iou_2d", "Overlap of boxes in images", ("box_iou_2d",), figures.box_iou_2d),
    Family("rotated_iou", "Overlap of turned boxes", ("rotated_iou",), figures.rotated_iou),
    Family(
        "special_iou",
        "Overlap losses of 3D detectors, and IoU heads",
        ("odiou", "rdiou", "mgiou", "iou_quality"),
        figures.special_iou,
    ),
    Family("gaussian_box", "Boxes as Gaussians", ("gaussian_box",), figures.gaussian_box),
    Family("corner", "Corners", ("corner",), figures.corner),
    Family("sets", "Sets: Dice, Jaccard, Tversky", ("sets", "tversky"), figures.sets),
    Family("lovasz", "Lovász", ("lovasz",), figures.lovasz),
    Family("boundary", "Boundaries", ("boundary",), figures.boundary),
    Family("together", "Together", ("composite", "uncertainty", "presets"), figures.together),
    Family("compat", "Numbers of others"),
)


def members(family: Family) -> list[str]:
    """What of ``bev3d.losses`` a family shows: functions, and classes that are no function's module."""
    elsewhere = {name for other in FAMILIES for name in other.also}
    names = [name for name in losses.__all__ if _module(name) in family.modules and _stands_alone(name)]
    in_order = sorted(names, key=lambda name: (family.modules.index(_module(name)), _line(name)))
    return [*(name for name in in_order if name not in elsewhere), *family.also]


def module_of(name: str) -> str | None:
    """The class that reduces a function, such as ``FocalLoss`` for ``focal_loss``; None where it has none."""
    same = [other for other in losses.__all__ if other != name and _key(other) == _key(name)]
    return same[0] if same else None


def normalisers() -> list[str]:
    """What summed losses are divided by."""
    return sorted((name for name in losses.__all__ if _module(name) == "normalise"), key=_line)


def compat_functions() -> list[str]:
    """Names of ``bev3d.compat``."""
    return list(compat.__all__)


def _module(name: str) -> str:
    return str(getattr(losses, name).__module__).rsplit("._", 1)[-1]


def _stands_alone(name: str) -> bool:
    """Functions, and modules without one; not what a module returns."""
    thing = getattr(losses, name)
    return inspect.isfunction(thing) or (issubclass(thing, nn.Module) and module_of(name) is None)


def _key(name: str) -> str:
    return name.lower().replace("_", "")


def _line(name: str) -> int:
    return inspect.getsourcelines(getattr(losses, name))[1]
