"""Dispatch to the commands, and the exit status: 0 on success, 2 where the user has to change something.

``audit`` and ``doctor`` end with 1 where they find what they look for.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from bev3d import __version__
from bev3d._errors import UserError

__all__ = ["main"]

# name -> (module of the command, one line of help); a module is imported only when its command runs
COMMANDS = {
    "demo": ("_demo", "everything in a few minutes on a CPU: synthetic data, targets, training, score, pictures"),
    "synth": ("_synth", "make a synthetic nuScenes or KITTI folder"),
    "audit": ("_audit", "count what a data set loses on its way into targets; a check for CI"),
    "doctor": ("_doctor", "name the convention that boxes are in, and known defects of data and configurations"),
    "targets": ("_targets", "write heatmap and regression targets of a data set"),
    "paste-database": ("_paste_database", "cut objects out of training scenes, for training to paste"),
    "train": ("_train", "train a detector"),
    "predict": ("_predict", "boxes of a trained detector: nuScenes submission or KITTI result files"),
    "export": ("_export", "the dense part of a trained detector as a program: torch.export or ONNX"),
    "evaluate": ("_evaluate", "nuScenes or KITTI metrics of predictions"),
    "view": ("_view", "points, ground truth, targets and predictions as window, PNG or HTML page"),
    "report": ("_report", "one page about a run: scores, losses, pictures"),
    "bench": ("_bench", "time the kernels beside their peers"),
    "ablate": ("_ablate", "train and score variants of a preset over several seeds"),
    "lab": ("_lab", "gradient descent of boxes under every loss: which one to train with"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bev3d COMMAND ...``; returns the exit status."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    # Spinning OpenMP threads make steps several times slower beside a busy neighbour; read before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not argv or argv[0] in ("-h", "--help"):
        print(_help())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"bev3d {__version__}")
        return 0
    if argv[0] not in COMMANDS:
        print(f"bev3d: unknown command '{argv[0]}'; known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return _run(argv[0], argv[1:])


def _run(name: str, argv: list[str]) -> int:
    module = importlib.import_module(f"bev3d.cli.{COMMANDS[name][0]}")
    try:
        status = module.run(argv)
    except (
        UserError,
        FileNotFoundError,
        FileExistsError,
        NotADirectoryError,
        IsADirectoryError,
        PermissionError,
    ) as error:
        print(f"bev3d {name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print(f"bev3d {name}: stopped; what was finished is kept", file=sys.stderr)
        return 130
    return int(status or 0)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: bev3d COMMAND [options]   (bev3d COMMAND --help)", "", *lines, "", "  --version", ""])
