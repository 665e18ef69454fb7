"""``bev3d view``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bev3d._errors import UserError
from bev3d.cli._parse import parse_with_config
from bev3d.config import Config

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Look at samples: points, ground truth, targets, predictions. Opens a window where neither file is asked for."""

    config: Path
    """Preset: a YAML file or the name of one that bev3d brings along."""
    dataroot: Path
    """Folder of the data set."""
    split: str | None = None
    """Split; the preset's validation split where none is given."""
    sample: str = "0"
    """Position in the split, or a token (nuScenes) or frame id (KITTI)."""
    count: int = 1
    """Samples from there on; more than one only in --html."""
    predictions: Path | None = None
    """nuScenes submission or folder of KITTI result files to draw."""
    checkpoint: Path | None = None
    """Detector to run: its boxes and its heatmap are drawn."""
    min_score: float = 0.3
    """Lowest score of a box that is drawn."""
    png: Path | None = None
    """Picture to write: Open3D, or matplotlib with --flat or where Open3D is absent."""
    html: Path | None = None
    """Page for the browser to write, one file without dependencies."""
    flat: bool = False
    """Picture from above with the heatmap beside it (matplotlib) instead of a view in space."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options, config = parse_with_config(Options, "view", argv)
    from bev3d.data import open_dataset
    from bev3d.evaluation import read_submission
    from bev3d.viz import overview_figure, save_figure, view, write_html

    dataset = open_dataset(config, options.dataroot, options.split or config.val_split)
    first = _position(options.sample, list(dataset.tokens))
    samples = [dataset[i] for i in range(first, min(first + max(options.count, 1), len(dataset)))]
    predictions = read_submission(options.predictions, dataset=dataset) if options.predictions else {}
    if options.checkpoint is not None:
        predictions, layers = _detect(options.checkpoint, config, samples)
    else:
        layers = _targets(config, samples)
    shared: dict[str, Any] = {"score_threshold": options.min_score, "range_m": config.range_m}
    one = samples[0]
    drawn = {"detections": predictions.get(one.token), "heatmap": layers[one.token], **shared}
    if options.html is not None:
        print(write_html(samples, options.html, detections=predictions or None, heatmap=layers, **shared))
    if options.png is not None and options.flat:
        print(save_figure(overview_figure(one, **drawn), options.png))
    elif options.png is not None or options.html is None:
        for written in view(one, png=options.png, **drawn):
            print(written)


def _position(sample: str, tokens: list[str]) -> int:
    if sample in tokens:
        return tokens.index(sample)
    if sample.isdigit() and int(sample) < len(tokens):
        return int(sample)
    raise UserError(f"--sample: expected a token or a position below {len(tokens)}, got '{sample}'")


def _targets(config: Config, samples: list[Any]) -> dict[str, Any]:
    """Targets of each sample, by token."""
    from bev3d.report import target_layer

    return {sample.token: target_layer(sample, config)[0] for sample in samples}


def _detect(checkpoint: Path, config: Config, samples: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Detections and predicted heatmaps by token."""
    from bev3d.report import predicted_layer
    from bev3d.training import detect, load_detector, make_views

    detector, config = load_detector(checkpoint, config)
    views = make_views([sample.points for sample in samples], config)
    found = detect(detector, views, [sample.token for sample in samples], config)
    layers = {sample.token: predicted_layer(detector, sample, config) for sample in samples}
    return {one.token: one for one in found}, layers
