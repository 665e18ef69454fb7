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

install() { "$venv/bin/python" -m pip install -q -c constraints.txt -e ".[$1]" >>"$log" 2>&1; }

echo "installing bev3d and its tools into $venv (a few minutes the first time) ..."
: >"$log"
# The tests hold sparse convolution and its checkpoints against spconv (100 MB), where it has wheels.
if "$venv/bin/python" - <<'CHECK' && install dev,nuscenes,viz,spconv; then
import platform, sys
sys.exit(not (sys.version_info < (3, 12) and sys.platform == "linux" and platform.machine() == "x86_64"))
CHECK
    echo "with spconv, for the tests of sparse convolution"
elif ! install dev,nuscenes,viz; then
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
