"""Write heatmap targets of a data set split as .npz files: a thin script over ``bev3d.jobs.generate_targets``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import tyro

from bev3d import UserError
from bev3d.config import load_config
from bev3d.jobs import generate_targets


def main(
    config: str,
    dataroot: Path,
    out: Path,
    split: str | None = None,
    executor: Literal["sequential", "process", "ray"] = "sequential",
    workers: int = 2,
) -> int:
    """Write targets and say what became of the boxes.

    Args:
        config: a YAML file or the name of a preset.
        dataroot: folder of the data set.
        out: folder for the files; the same call goes on where it stopped.
        split: split of the data set; the config's training split where not given.
        executor: where the work is done.
        workers: processes or Ray actors.
    """
    try:
        settings = load_config(config)
        manifest = generate_targets(settings, dataroot, out, split=split, executor=executor, workers=workers)
    except (UserError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    total = manifest["total"]
    print(f"{manifest['samples']} samples, {total['boxes']} boxes: {total['assigned']} assigned in {out}")
    for reason, number in sorted(total["dropped"].items()):
        print(f"  dropped, {reason}: {number}")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
