# Everything a newcomer needs: `make demo` and `make test` set themselves up, given only make and
# Python 3.10 or newer. The environment is made once, in .venv, and again when pyproject.toml or
# constraints.txt change. Choose another interpreter with `make demo PYTHON=python3.12`.

PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/demo
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
PINS := pyproject.toml constraints.txt
# One thread per process: small networks are faster so, and sums do not depend on the cores.
TESTENV := OMP_NUM_THREADS=1 PYTHONHASHSEED=0

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs clean distclean

help:  ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## unlearn a network and a table, with reports (about a minute)
	@$(BIN)/infounlearn demo --out $(OUT) $(ARGS)

test: check  ## lint, type-check and test everything
	$(TESTENV) $(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/.installed-dev  ## lint, format and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## speed, against the naive way, measured in one run
	$(TESTENV) $(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.installed-docs  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

clean:  ## remove what can be made again, but not the environment or runs/
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## and the environment
	rm -rf $(VENV)

# A marker of our own: an interrupted `python -m venv` leaves a python behind that has no pip.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "infounlearn needs Python 3.10 or newer; try: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) \
	  || { echo "python -m venv failed; on Debian: apt install python3-venv" >&2; exit 2; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(PINS)
	@echo "Installing into $(VENV): PyTorch is large, this takes a few minutes the first time."
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made $(PINS)
	@echo "Installing into $(VENV): PyTorch is large, this takes a few minutes the first time."
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.made $(PINS)
	$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.installed
