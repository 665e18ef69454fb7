"""``bev3d export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bev3d.cli._parse import parse

__all__ = ["run"]


@dataclass(frozen=True)
class Options:
    """Write what follows the encoder of a trained detector, backbone and head, as a program for other runtimes."""

    checkpoint: Path
    """File that training wrote."""
    out: Path
    """.pt2 for torch.export.load, or .onnx (which needs the packages onnx and onnxscript)."""


def run(argv: list[str]) -> None:
    """Run the command."""
    options = parse(Options, "export", argv)
    from bev3d.models import DensePart, export_dense
    from bev3d.training import load_detector

    detector, config = load_detector(options.checkpoint)
    export_dense(detector, config, options.out)
    columns, rows = (size // config.encoder_stride for size in config.grid_size)
    print(f"{options.out}: images (B, {DensePart(detector).in_channels}, {rows}, {columns}) to the head's outputs")
