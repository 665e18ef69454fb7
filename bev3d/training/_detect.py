"""From what a detector reads to detections."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bev3d._errors import UserError
from bev3d.config import Config
from bev3d.config._fields import GridConfig, ModelConfig
from bev3d.data import Detections
from bev3d.models import Detector, ModelInputs, build_detector, decode_outputs
from bev3d.training._checkpoint import load_checkpoint
from bev3d.training._clock import StageClock
from bev3d.training._device import choose_device
from bev3d.training._postprocess import postprocess
from bev3d.training._views import flips_of, has_heatmaps, mean_maps, merge_boxes, unflip_boxes, unflip_maps

__all__ = ["detect", "joined_outputs", "load_detector"]


def load_detector(checkpoint: str | Path, config: Config | None = None) -> tuple[Detector, Config]:
    """The detector of a checkpoint on ``config.device``, ready to predict, and the configuration to predict with.

    Raises:
        FileNotFoundError: no such file.
        UserError: a damaged file, a ``config`` whose grid, classes or network are not the checkpoint's, or a GPU
            asked for that is not there.
    """
    read = load_checkpoint(checkpoint)
    if config is None:
        config = read.config
    shaping = ["tasks", *(field.name for kind in (GridConfig, ModelConfig) for field in dataclasses.fields(kind))]
    shaping.remove("sparse_backend")  # whose code runs: the weights are the same
    for key in shaping:
        expected, got = getattr(read.config, key), getattr(config, key)
        if expected != got:
            raise UserError(f"{read.path}: expected {key} {expected} as the checkpoint was trained, got {got}")
    device = choose_device(config.device)
    detector = build_detector(config)
    detector.load_state_dict(read.weights)
    return detector.eval().to(device), config


@torch.inference_mode()
def detect(
    detector: nn.Module,
    inputs: ModelInputs | Sequence[ModelInputs],
    tokens: Sequence[str],
    config: Config,
    *,
    clock: StageClock | None = None,
) -> list[Detections]:
    """Boxes in a batch.

    The outputs are decoded, those of mirror images (``double_flip``) joined, and what
    :func:`bev3d.training.postprocess` leaves is returned.

    Args:
        detector: in evaluation mode, on any device.
        inputs: of :func:`bev3d.training.make_views`, or of :func:`bev3d.models.make_inputs` without ``double_flip``.
        tokens: names of the B samples.
        config: thresholds, suppression and grid.
        clock: counts the time of each stage.

    Raises:
        UserError: outputs that are no numbers; the text names the samples.
    """
    clock = StageClock() if clock is None else clock
    with clock.stage("network"):
        outputs = [detector(view) for view in _on_device(detector, inputs, config)]
    with clock.stage("decode"):
        _check(outputs, tokens)
        found = _decode(outputs, config)
    with clock.stage("suppression"):
        results = [postprocess(token, one, config) for token, one in zip(tokens, found, strict=True)]
    clock.left_out += sum(left_out for _, left_out in results)
    clock.samples += len(tokens)
    return [detections for detections, _ in results]


def joined_outputs(detector: nn.Module, inputs: ModelInputs | Sequence[ModelInputs], config: Config) -> Any:
    """The outputs of a centre head, mirror images joined; of another head those of the sample as it is."""
    outputs = [detector(view) for view in _on_device(detector, inputs, config)]
    return _join_maps(outputs, config) if has_heatmaps(outputs[0]) else outputs[0]


def _on_device(
    detector: nn.Module, inputs: ModelInputs | Sequence[ModelInputs], config: Config
) -> Iterator[ModelInputs]:
    """The views one after the other, moved to where the weights are."""
    views = [inputs] if isinstance(inputs, ModelInputs) else inputs
    expected = len(flips_of(config))
    if len(views) != expected:
        got = f"expected {expected} views of each sample for double_flip {config.double_flip}, got {len(views)}"
        raise ValueError(f"inputs: {got}")
    weights = next(detector.parameters(), None)
    for view in views:
        yield view if weights is None else view.to(weights.device, non_blocking=True)


def _join_maps(outputs: Sequence[Any], config: Config) -> list[dict[str, Tensor]]:
    flips = flips_of(config)
    tasks = zip(*outputs, strict=True)
    return [mean_maps([unflip_maps(maps, f) for maps, f in zip(views, flips, strict=True)]) for views in tasks]


def _decode(outputs: Sequence[Any], config: Config) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Boxes, scores and labels of each sample, over all views."""
    if len(outputs) == 1:
        return decode_outputs(outputs[0], config)
    if has_heatmaps(outputs[0]):
        return decode_outputs(_join_maps(outputs, config), config)
    flips = flips_of(config)
    views = [unflip_boxes(decode_outputs(one, config), flip) for one, flip in zip(outputs, flips, strict=True)]
    return [merge_boxes(of_sample, config) for of_sample in zip(*views, strict=True)]


def _check(outputs: Any, tokens: Sequence[str]) -> None:
    """Raise where an output is NaN: below every threshold it would look like a sample without objects."""
    tensors = [value for value in _tensors(outputs) if value.is_floating_point() and value.numel()]
    if tensors and bool(torch.stack([value.isnan().any() for value in tensors]).any()):
        by_sample = [value.isnan().flatten(1).any(1) for value in tensors if value.shape[:1] == (len(tokens),)]
        bad = torch.stack(by_sample).any(0).tolist() if by_sample else []
        names = [token for token, is_bad in zip(tokens, bad, strict=False) if is_bad] or list(tokens)
        raise UserError(
            f"samples {', '.join(names)}: expected numbers from the network, got NaN; "
            "look at the weights of the checkpoint and the points of these samples"
        )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            if name != "velocity":  # NaN is what an unknown one is
                yield from _tensors(entry)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for entry in value:
            yield from _tensors(entry)
