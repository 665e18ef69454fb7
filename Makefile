# Every target sets up what it needs; a first run takes minutes, a second seconds.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: help demo test lint bench wheel clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(STAMP)  ## synthetic data, targets, training, score and pictures in demo/ (about 3 minutes on 2 cores, 1.5 GB)
	$(BIN)/bev3d demo --out demo

test: $(STAMP) lint  ## lint, types, import contract, tests, and the wheel in a second environment
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --durations=10
	tools/check_wheel.sh $(BIN)/python

lint: $(STAMP)  ## style, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## every kernel beside its peers; writes docs/benchmarks.md
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/bev3d bench

wheel: $(STAMP)  ## dist/bev3d-*.whl, pure Python
	$(BIN)/python -m build --wheel --outdir dist

clean:  ## remove the environment and what was built
	rm -rf $(VENV) dist build demo

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	tools/setup.sh $(PYTHON) $(VENV)
	touch $@
