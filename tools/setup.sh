#!/usr/bin/env bash
# Set up the environment of a fresh checkout: tools/setup.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
log=$venv/setup.log

# The library runs on 3.13 too; the nuScenes devkit, which demo and tests evaluate with, does not.
"$python" - <<'CHECK' || { echo "demo and tests need Python 3.10 to 3.12: make PYTHON=python3.11 ..." >&2; exit 2; }
import sys
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
CHECK
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "bev3d needs Python's venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2
    exit 2
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

echo "installing bev3d and its tools into $venv (a few minutes the first time) ..."
if ! "$venv/bin/python" -m pip install -q -c constraints.txt -e '.[dev,nuscenes,viz]' >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "could not install bev3d; the whole log is in $log" >&2
    exit 2
fi

# Open3D loads three system libraries. Without them pictures come from matplotlib.
if ! "$venv/bin/python" -c 'import open3d' >/dev/null 2>&1; then
    libraries="libgl1 libegl1 libusb-1.0-0"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $libraries; } >>"$log" 2>&1 || true
    fi
    "$venv/bin/python" -c 'import open3d' >/dev/null 2>&1 ||
        echo "Open3D cannot be imported; pictures fall back to matplotlib. To have it: apt-get install $libraries"
fi
