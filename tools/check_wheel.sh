#!/usr/bin/env bash
# Build the wheel, install it alone into a second environment and use it there: tools/check_wheel.sh PYTHON
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --wheel --outdir "$work/dist" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
wheel=$(echo "$work"/dist/*.whl)
case $wheel in
    *-py3-none-any.whl) ;;
    *) echo "expected a pure Python wheel (py3-none-any), got $(basename "$wheel")" >&2; exit 1 ;;
esac

# The second environment borrows the heavy dependencies (torch, numba, ...) by path, after its own packages; bev3d
# itself can only come from the wheel, since the editable install's finder is not active there.
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --no-deps "$wheel"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
cd "$work"
PYTHONPATH=$site:$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export PYTHONPATH
"$work/venv/bin/python" - "$work/venv" <<'USE'
import sys
from pathlib import Path

import bev3d
import bev3d_ops
import numpy as np
from bev3d.config import load_config
from bev3d.data import Sample
from bev3d.overlap import pairwise_iou_bev
from bev3d.viz import Page, write_html
from bev3d_ops.cuda._source import source, units

environment = Path(sys.argv[1]).resolve()
for package in (bev3d, bev3d_ops):
    home = Path(package.__file__).resolve()
    if environment not in home.parents:
        sys.exit(f"{package.__name__}: expected to come from the wheel in {environment}, came from {home}")
if "overlap" not in "".join(text := [source(unit) for unit in units()]) or not all(text):
    sys.exit("the wheel lacks the CUDA sources of its kernels")
box = np.array([[0.0, 0.0, 0.0, 4.0, 2.0, 1.5, 0.3]])
if abs(pairwise_iou_bev(box, box)[0, 0] - 1) > 1e-6:
    sys.exit("the overlap of a box with itself is not 1")
for preset in ("synthetic_nuscenes", "kitti_3class"):
    load_config(preset)
if "<style>" not in Page("files that are not Python come along").render("."):
    sys.exit("the report page has no style")
empty = Sample("t", np.zeros((1, 5), np.float32), np.zeros((0, 9)), np.zeros(0, np.int64), (), np.zeros(0, np.int64), ())
write_html(empty, Path(sys.argv[1]) / "scene.html")
USE
"$work/venv/bin/python" -m bev3d.cli --version
echo "wheel $(basename "$wheel") installs and works in a second environment"
