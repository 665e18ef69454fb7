"""The dense part of a detector as a program of its own, for runtimes that know nothing of bev3d."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bev3d._errors import UserError
from bev3d._files import atomic_path
from bev3d.config import Config
from bev3d.models._anchor_head import ANCHOR_OUTPUTS
from bev3d.models._detector import Detector
from bev3d.models._shared_head import map_sizes

__all__ = ["DensePart", "export_dense", "output_names"]


class DensePart(nn.Module):
    """Backbone and head of a detector: from the encoder's image to the outputs.

    Args:
        detector: whose weights it shares.

    Attributes:
        in_channels: of the image.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.in_channels = detector.encoder.out_channels
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, images: Tensor) -> list[dict[str, Tensor]]:
        """Images (B, C, H, W) to what :class:`bev3d.models.Detector` gives."""
        outputs: list[dict[str, Tensor]] = self.head(self.backbone(images))
        return outputs


def export_dense(detector: Detector, config: Config, path: str | Path) -> Path:
    """Write what follows the encoder as a program whose batch size is free.

    Args:
        detector: of ``config``; exported as in evaluation, on the CPU, in float32. Itself it stays as it is.
        config: the grid.
        path: ``.pt2`` for :func:`torch.export.load`, whose ``module()`` takes images (B, C, H, W) and returns the
            outputs as the detector does; ``.onnx``, which needs the packages onnx and onnxscript, with input
            ``images`` and outputs ``task0_heatmap`` and so on. The file appears whole or not at all.

    Returns:
        ``path``.

    Raises:
        UserError: another ending, or ``.onnx`` without those packages.
    """
    path = Path(path)
    if path.suffix not in (".pt2", ".onnx"):
        raise UserError(f"{path}: expected a file that ends in .pt2 or .onnx")
    program = _program(detector, config)
    if path.suffix == ".pt2":
        with contextlib.suppress(AttributeError):  # older versions of torch keep it
            program.example_inputs = None  # an empty image, larger than the weights
        with atomic_path(path) as temporary:
            torch.export.save(program, temporary)
        return path
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        expected = "the packages onnx and onnxscript (pip install 'bev3d[onnx]')"
        raise UserError(f"{path}: expected {expected}, found no {missing[0]}")
    names = [f"task{i}_{name}" for i, maps in enumerate(output_names(config)) for name in maps]
    made: Any = torch.onnx.export(program, dynamo=True, input_names=["images"], output_names=names, verbose=False)
    with atomic_path(path) as temporary:
        made.save(temporary)
    return path


def output_names(config: Config) -> list[list[str]]:
    """Names of the outputs of each task, in their order."""
    if config.head == "anchor":
        return [list(ANCHOR_OUTPUTS)]
    return [["heatmap", *map_sizes(config)] for _ in config.tasks]


def _program(detector: Detector, config: Config) -> torch.export.ExportedProgram:
    # a copy: in evaluation, and with weights in the plain layout, which is the only one that files know
    part = copy.deepcopy(DensePart(detector)).cpu().float().eval()
    part.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # stub lacks it
    columns, rows = (size // config.encoder_stride for size in config.grid_size)
    # two samples: a batch of one would be taken for a constant
    images = torch.zeros(2, part.in_channels, rows, columns)
    with torch.no_grad():
        return torch.export.export(part, (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
