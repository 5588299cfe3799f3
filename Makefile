# One command per habit. Each sets up what it needs in the virtual environment $(VENV) by itself.
#
#   make demo          see it work, in noiselayer-demo/ (or OUT=folder)
#   make test          the tests, in minutes on two cores; test-slow: those that take minutes each; test-all: both
#   make test-extras   the examples, and what meets other tools, with those packages installed
#   make fuzz          3,000 damaged inputs for every command and function; CASES=500 for fewer, SEED=3000 for others
#   make check         style, formatting and types
#   make docs          the documentation, in site/
#   make bench         speed, memory and the audit beside cleanlab, in benchmarks/results/; needs a quiet machine for
#                      hours, and NOISELAYER_DATA for what is measured on real images; BENCH="--only loss" for a part
#   make package       wheel and source archive, in dist/
#
# PYTHON=python3.12 chooses the interpreter, VENV=/some/where the environment, TESTS=tests/audit what is tested,
# JOBS=4 by how many processes (as many as there are cores, if nothing is said).

# Tests that skip where an optional package is missing, and that no other command runs with it.
EXTRAS := tests/examples tests/interchange tests/training/test_noise_log.py

PYTHON ?= python3
VENV ?= .venv
OUT ?= noiselayer-demo
TESTS ?=
JOBS ?= auto
BENCH ?=
CASES ?= 3000
SEED ?= 0
BIN := $(VENV)/bin
SENTENCES := $(VENV)/sentences/vaderSentiment-2.5.tar.gz
# A process a core with one thread each: the tests are small, and threads would wait for one another.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow test-all test-extras fuzz check docs bench package format clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.ready
	$(BIN)/noiselayer demo --out "$(OUT)"

test: $(VENV)/.ready-test
	$(PYTEST) $(TESTS)

test-slow: $(VENV)/.ready-test
	$(PYTEST) -m slow $(TESTS)

test-all: $(VENV)/.ready-test
	$(PYTEST) -m "slow or not slow" $(TESTS)

test-extras: $(VENV)/.ready-extras $(SENTENCES)
	NOISELAYER_DATA="$${NOISELAYER_DATA:-$(abspath $(dir $(SENTENCES)))}" $(BIN)/python -m pytest -rs -m "slow or not slow" $(EXTRAS)

fuzz: $(VENV)/.ready-test
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults/fuzzing.py --cases $(CASES) --seed $(SEED)

check: $(VENV)/.ready-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(VENV)/.ready-test $(VENV)-cleanlab/.ready
	PATH="$(abspath $(BIN)):$$PATH" OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py \
		--cleanlab-python "$(abspath $(VENV)-cleanlab)/bin/python" $(BENCH)

package: $(VENV)/.ready-package
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

format: $(VENV)/.ready-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf "$(VENV)" "$(VENV)-cleanlab" .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@echo "Setting up $(VENV); PyTorch is large, this takes minutes."
	$(PYTHON) -m venv "$(VENV)"

# A stamp is older than pyproject.toml: its dependencies may have changed, so they are installed again.
$(VENV)/.ready: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	@touch "$@"

$(VENV)/.ready-test: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[test]'
	@touch "$@"

$(VENV)/.ready-extras: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[examples,test,tools]'
	@touch "$@"

# The text that the example of checked and unchecked sentences learns from: a package's source archive holds it.
$(SENTENCES): | $(VENV)/.ready-extras
	$(BIN)/python -m pip --disable-pip-version-check download --quiet --no-deps --no-binary :all: \
		--dest "$(dir $@)" vaderSentiment==2.5

$(VENV)/.ready-docs: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[docs]'
	@touch "$@"

# In an environment of its own: what it needs is its affair.
$(VENV)-cleanlab/.ready:
	$(PYTHON) -m venv "$(VENV)-cleanlab"
	$(VENV)-cleanlab/bin/python -m pip --disable-pip-version-check install --quiet cleanlab==2.9.0
	@touch "$@"

$(VENV)/.ready-package: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[package]'
	@touch "$@"

$(VENV)/.ready-check: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[check]'
	@touch "$@"
