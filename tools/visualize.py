"""Pictures of samples of a data set with their targets: a thin script over ``bev3d.viz``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import tyro

from bev3d import UserError
from bev3d.config import load_config
from bev3d.data import open_dataset
from bev3d.evaluation import read_submission
from bev3d.targets import targets_from_config
from bev3d.viz import have_open3d, view


def main(
    config: str,
    dataroot: Path,
    out: Path,
    samples: tuple[str, ...] = ("0",),
    split: str | None = None,
    predictions: Path | None = None,
    score_threshold: float = 0.3,
    theme: str = "dark",
) -> int:
    """Write, for each sample, a figure from above with its targets, a 3D picture and a page for the browser.

    Args:
        config: a YAML file or the name of a preset.
        dataroot: folder of the data set.
        out: folder for the pictures: TOKEN_bev.png, TOKEN.html and, with Open3D, TOKEN_3d.png.
        samples: positions in the split, tokens or frame ids.
        split: split of the data set; the config's validation split where not given.
        predictions: nuScenes submission or folder of KITTI result files, to be drawn beside the labels.
        score_threshold: lowest score of a prediction that is drawn.
        theme: dark or light.
    """
    try:
        settings = load_config(config)
        dataset = open_dataset(settings, dataroot, split or settings.val_split)
        make_targets = targets_from_config(settings)
        found = read_submission(predictions, dataset=dataset) if predictions else {}
        for wanted in samples:
            sample = dataset[_position(wanted, list(dataset.tokens))]
            shown: dict[str, Any] = {
                "detections": found.get(sample.token),
                "targets": make_targets([torch.from_numpy(sample.boxes)], [torch.from_numpy(sample.labels)]),
                "range_m": settings.range_m,
                "score_threshold": score_threshold,
                "theme": theme,
            }
            stem = out / sample.token
            written = view(sample, png=f"{stem}_bev.png", html=f"{stem}.html", backend="matplotlib", **shown)
            if have_open3d():
                written += view(sample, png=f"{stem}_3d.png", backend="open3d", **shown)
            print(*written, sep="\n")
    except (UserError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _position(wanted: str, tokens: list[str]) -> int:
    if wanted in tokens:
        return tokens.index(wanted)
    if wanted.isdigit() and int(wanted) < len(tokens):
        return int(wanted)
    raise UserError(f"samples: expected tokens or positions below {len(tokens)}, got {wanted!r}")


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
