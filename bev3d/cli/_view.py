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
    shown: dict[str, Any] = {"score_threshold": options.min_score, "range_m": config.range_m}
    if options.checkpoint is not None:
        predictions, shown["heatmap"] = _detect(options.checkpoint, config, samples)
    else:
        shown["targets"] = _targets(config, samples[:1])
    if options.html is not None and len(samples) > 1:
        write_html(samples, options.html, detections=predictions or None, score_threshold=options.min_score)
    elif options.png is not None and options.flat:
        figure = overview_figure(samples[0], detections=predictions.get(samples[0].token), **shown)
        save_figure(figure, options.png)
    else:
        view(samples[0], detections=predictions.get(samples[0].token), png=options.png, html=options.html, **shown)
    for written in (options.png, options.html):
        if written is not None:
            print(written)


def _position(sample: str, tokens: list[str]) -> int:
    if sample in tokens:
        return tokens.index(sample)
    if sample.isdigit() and int(sample) < len(tokens):
        return int(sample)
    raise UserError(f"--sample: expected a token or a position below {len(tokens)}, got '{sample}'")


def _targets(config: Config, samples: list[Any]) -> Any:
    import torch

    from bev3d.targets import targets_from_config

    make = targets_from_config(config)
    boxes = [torch.from_numpy(sample.boxes) for sample in samples]
    return make(boxes, [torch.from_numpy(sample.labels) for sample in samples])


def _detect(checkpoint: Path, config: Config, samples: list[Any]) -> tuple[dict[str, Any], Any]:
    """Detections by token, and the predicted probabilities of the first sample."""
    from bev3d.models import encode_points
    from bev3d.training import detect, heatmaps, load_detector

    detector, config = load_detector(checkpoint, config)
    images = encode_points([sample.points for sample in samples], config)
    found = detect(detector, images, [sample.token for sample in samples], config)
    return {one.token: one for one in found}, heatmaps(detector, images)[0]
