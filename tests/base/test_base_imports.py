"""The library's mathematics stays light to import."""

from __future__ import annotations

import subprocess
import sys


def test_losses_overlap_and_targets_load_no_figures_and_no_command_line() -> None:
    code = (
        "import sys, bev3d.losses, bev3d.overlap, bev3d.targets, bev3d.nms, bev3d.points, bev3d.data, bev3d.evaluation;"
        "print([m for m in ('matplotlib', 'rich', 'tyro', 'open3d', 'nuscenes', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
