#!/usr/bin/env bash
# What only a GPU can show: its tests, compute-sanitizer over every operation, the benchmark.
#   tools/check_gpu.sh [PYTHON] [FOLDER FOR LOGS]
# docs/benchmarks.* get a section of the GPU's name. 17 minutes at most; the tests need what `pip install -e '.[dev]'`
# brings, which is in constraints.txt beside a torch for the CPU: keep the torch that knows the GPU.
set -uo pipefail
python=${1:-python3} logs=${2:-$(mktemp -d)}
command -v "$python" >/dev/null || { echo "python: expected a program, got $python" >&2; exit 2; }
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD:$PWD/ops${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
failed=0

run() {  # name, seconds, command
    local name=$1 seconds=$2
    shift 2
    echo "== $name"
    timeout "$seconds" "$@" 2>&1 | tee "$logs/$name.log" | tail -n 40 || { echo "== $name failed: $logs/$name.log"; failed=1; }
}

run tests 300 "$python" -m pytest -m cuda -p no:cacheprovider -rf --durations=15
run bench 240 "$python" -m bev3d.bench.cuda --out docs --repeats 9
if command -v compute-sanitizer >/dev/null; then
    # without torch's pool, whose blocks hide what is written beside an array
    for tool in memcheck racecheck; do
        PYTORCH_NO_CUDA_MEMORY_CACHING=1 run "$tool" 240 \
            compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 \
            "$python" -m pytest -m cuda -p no:cacheprovider -q tests/ops/test_ops_table.py -k "not graph and not compile"
    done
else
    echo "== no compute-sanitizer on the path" && failed=1
fi
echo "logs in $logs"
exit "$failed"
