"""Known defects of configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.doctor._finding import Finding
from bev3d.doctor._settings import Settings
from bev3d.targets import gaussian_radius, oriented_radii

__all__ = ["diagnose_settings"]

Sizes = Mapping[str, tuple[float, float]]

# Usual length and width in metres, where no data are given.
USUAL_SIZES: Sizes = {
    "car": (4.6, 1.95),
    "truck": (6.9, 2.5),
    "bus": (11.1, 2.95),
    "trailer": (12.3, 2.9),
    "construction_vehicle": (6.4, 2.85),
    "pedestrian": (0.73, 0.67),
    "motorcycle": (2.1, 0.77),
    "bicycle": (1.7, 0.6),
    "traffic_cone": (0.41, 0.41),
    "barrier": (0.5, 2.5),
    "cyclist": (1.76, 0.6),
    "van": (5.1, 1.9),
    "tram": (16.0, 2.5),
    "person_sitting": (0.8, 0.6),
    "misc": (3.6, 1.6),
    "vehicle": (4.8, 2.1),
}
FAINT = 0.5  # of the weight of the offset: less is meant for what is known badly, as velocities are
GROWTH = 2.0  # times that the least radius may enlarge the largest Gaussian
USUAL_LEAST = 2  # cells, in every published configuration
LARGE_M = 2.0
MANY = 0.1  # share of boxes that only z puts out of the range


def diagnose_settings(settings: Settings, boxes: NDArray[np.float64] | None = None) -> list[Finding]:
    """Look for known defects of a configuration.

    Args:
        settings: what it says.
        boxes: (N, 7 or 9) of known classes, in our convention, for sizes and heights; usual sizes where None.
    """
    return [*_weight_order(settings), *_least_radius(settings, boxes), *_height_range(settings, boxes)]


def _weight_order(settings: Settings) -> list[Finding]:
    weights = settings.weights
    heading, velocity = weights.get("heading", ()), weights.get("velocity", ())
    if not heading or not velocity or not any(velocity):
        return []
    usual = median(weights.get("offset", ()) or (1.0,))
    if not (max(heading) < FAINT * usual and min(velocity) > max(heading)):
        return []
    if settings.code_weights:
        places = [i for i, weight in enumerate(settings.code_weights) if weight in heading and weight < FAINT * usual]
        evidence: tuple[str, ...] = (
            f"code_weights = {_plain(settings.code_weights)}",
            f"{settings.source} regresses {', '.join(_order(settings))}: places {places} are the heading",
        )
    else:
        evidence = (f"heading_weight = {heading[0]:g}, velocity_weight = {velocity[0]:g}, offset_weight = {usual:g}",)
    return [
        Finding(
            "weight_order",
            f"the weight {max(heading):g} meant for the velocity falls on the heading",
            evidence=evidence,
            advice=f"heading {usual:g}, velocity {max(heading):g}; bev3d takes weights by name",
        )
    ]


def _order(settings: Settings) -> Sequence[str]:
    return [f"{name} ({len(values)})" for name, values in settings.weights.items()]


def _least_radius(settings: Settings, boxes: NDArray[np.float64] | None) -> list[Finding]:
    if settings.cell_m is None or settings.min_radius is None or settings.min_overlap is None:
        return []
    sizes, whose = _sizes(settings, boxes)
    if not len(sizes):
        return []
    cells = torch.from_numpy(sizes / np.array(settings.cell_m))
    if settings.radius == "oriented":  # the larger of the two, along the longer side
        asked = oriented_radii(cells[:, 0], cells[:, 1], min_overlap=settings.min_overlap).numpy().max(axis=1)
    else:
        rule, overlap = settings.radius, settings.min_overlap
        asked = gaussian_radius(cells[:, 0], cells[:, 1], kind=rule, min_overlap=overlap).numpy()
    largest = float(np.quantile(asked, 0.98))
    governed = float((np.floor(asked) < settings.min_radius).mean())
    if governed < 0.95:
        return []
    least_m = settings.min_radius * max(settings.cell_m)
    growth = settings.min_radius / max(largest, 1e-9)
    unusual = settings.min_radius > USUAL_LEAST or least_m > LARGE_M
    evidence = (
        f"{governed:.0%} of {whose} ask for less than min_radius {settings.min_radius}; the largest ask for "
        f"{largest:.2f} cells of {settings.cell_m[0]:g} m by the rule {settings.radius}",
        f"every Gaussian has a radius of {settings.min_radius} cells, {least_m:.1f} m",
    )
    if growth > GROWTH and unusual:
        advice = "a smaller min_radius, or smaller output cells (voxel size, stride)"
        title = f"min_radius decides about every Gaussian and makes the largest {growth:.1f} times as wide"
        return [Finding("min_radius_saturation", title, evidence=evidence, advice=advice)]
    title = "min_radius decides about every Gaussian: the radius rule has no effect"
    return [Finding("min_radius", title, level="note", evidence=evidence)]


def _height_range(settings: Settings, boxes: NDArray[np.float64] | None) -> list[Finding]:
    if boxes is None or settings.range_m is None or len(settings.range_m) != 6:
        return []
    low, high = np.array(settings.range_m).reshape(2, 3)
    with np.errstate(invalid="ignore"):
        inside = (boxes[:, :3] >= low) & (boxes[:, :3] < high)
    flat = inside[:, :2].all(1)
    lost = flat & ~inside[:, 2] & np.isfinite(boxes[:, Box.Z])
    if not flat.any() or lost.sum() < MANY * flat.sum():
        return []
    heights = boxes[lost, Box.Z]
    return [
        Finding(
            "height_range",
            f"{lost.sum()} of {flat.sum()} boxes within the range of x and y are lost because of z alone",
            evidence=(f"z {low[2]:g} to {high[2]:g} m; centres lost at {heights.min():.1f} to {heights.max():.1f} m",),
            advice="widen the range of z, or look whether boxes and range count z from the same origin",
        )
    ]


def _sizes(settings: Settings, boxes: NDArray[np.float64] | None) -> tuple[NDArray[np.float64], str]:
    """(N, 2) length and width, and whose they are."""
    if boxes is not None and len(boxes):
        sizes = boxes[:, Box.BEV_SIZE]
        sound = np.isfinite(sizes).all(1) & (sizes > 0).all(1)
        if sound.any():
            return sizes[sound], "the boxes"
    known = [USUAL_SIZES[name.lower()] for name in settings.class_names if name.lower() in USUAL_SIZES]
    return np.array(known, dtype=np.float64).reshape(-1, 2), "the classes at their usual sizes"


def _plain(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
