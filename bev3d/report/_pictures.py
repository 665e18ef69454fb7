"""The pictures of a report: targets, detections, heatmaps, curves, a scene to walk through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bev3d._progress import track
from bev3d.config import Config
from bev3d.data import Detections, Sample
from bev3d.models import Detector
from bev3d.report._targets import target_layer
from bev3d.training import heatmaps, loss_curves, make_views
from bev3d.viz import (
    HeatmapLayer,
    have_open3d,
    heatmap_layer,
    loss_figure,
    overview_figure,
    render_open3d,
    save_figure,
    score_figure,
    write_html,
)

__all__ = ["Picture", "SamplePictures", "curve_pictures", "predicted_layer", "sample_pictures"]

Picture = tuple[Path, str]  # file, caption


@dataclass(frozen=True)
class SamplePictures:
    """Pictures of the chosen samples: targets, predictions, and in space (none without Open3D)."""

    targets: list[Picture] = field(default_factory=list)
    detections: list[Picture] = field(default_factory=list)
    space: list[Picture] = field(default_factory=list)


def sample_pictures(
    samples: Sequence[Sample],
    detections: Mapping[str, Detections],
    detector: Detector,
    config: Config,
    out: Path,
    *,
    score_threshold: float,
) -> SamplePictures:
    """Draw the samples into ``out``, and write ``out/scene.html`` in which they can be turned."""
    pictures = SamplePictures()
    for i, sample in enumerate(track(samples, "pictures", unit="samples")):
        found = detections[sample.token]
        pictures.targets.append(_targets(sample, config, out / f"targets_{i}.png"))
        predicted = predicted_layer(detector, sample, config)
        file = out / f"detections_{i}.png"
        figure = overview_figure(
            sample, detections=found, heatmap=predicted, range_m=config.range_m, score_threshold=score_threshold
        )
        save_figure(figure, file)
        shown = int((found.scores >= score_threshold).sum())
        what = "The" if predicted is None else "Predicted heatmap and the"
        text = f"{what} {shown} detections from score {score_threshold:g} on"
        pictures.detections.append((file, f"{text}, beside the {len(sample.boxes)} labels."))
    if have_open3d().available:
        first, file = samples[0], out / "scene.png"
        render_open3d(first, file, detections=detections[first.token], score_threshold=score_threshold)
        pictures.space.append((file, "The first of the samples in Open3D: labels solid, detections thin."))
    chosen = {sample.token: detections[sample.token] for sample in samples}
    write_html(samples, out / "scene.html", detections=chosen, score_threshold=score_threshold)
    return pictures


def predicted_layer(detector: Detector, sample: Sample, config: Config) -> HeatmapLayer | None:
    """What the detector sees in a sample: the heatmaps of all tasks, their peaks and predicted centres.

    None where the detector's head has no heatmap.
    """
    layers = []
    for task in heatmaps(detector, make_views([sample.points], config), config)[0]:
        layer = heatmap_layer(heatmap=task.probabilities, offset=task.offset, range_m=config.range_m)
        assert layer is not None  # a heatmap was given
        layers.append(layer)
    if not layers:
        return None
    joined = (np.concatenate([getattr(layer, name) for layer in layers]) for name in ("values", "cells", "centres"))
    values, cells, centres = joined
    return HeatmapLayer(values, layers[0].extent, cells, centres, layers[0].kind)


def _targets(sample: Sample, config: Config, file: Path) -> Picture:
    layer, caption = target_layer(sample, config)
    save_figure(overview_figure(sample, heatmap=layer, range_m=config.range_m), file)
    return file, caption


def curve_pictures(log: Path, ap: Mapping[str, float], out: Path) -> list[Picture]:
    """Loss terms over the steps, and average precision by class."""
    pictures = []
    rows: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if rows:
        save_figure(loss_figure(loss_curves(rows)), out / "loss.png")
        pictures.append((out / "loss.png", f"Loss by term, means of {rows[0]['step']} steps."))
    save_figure(score_figure(ap), out / "score.png")
    pictures.append((out / "score.png", "Average precision by class."))
    return pictures
