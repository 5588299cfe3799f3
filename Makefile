# One command per habit. Each sets up what it needs in the virtual environment $(VENV) by itself.
#
#   make demo          see it work, in noiselayer-demo/ (or OUT=folder)
#   make test          the tests that take seconds each; make test-slow for the others
#   make check         style, formatting and types
#
# PYTHON=python3.12 chooses the interpreter, VENV=/some/where the environment, TESTS=tests/audit what is tested.

PYTHON ?= python3
VENV ?= .venv
OUT ?= noiselayer-demo
TESTS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow check format clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.ready
	$(BIN)/noiselayer demo --out "$(OUT)"

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest $(TESTS)

test-slow: $(VENV)/.ready-test
	$(BIN)/python -m pytest -m slow $(TESTS)

check: $(VENV)/.ready-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf "$(VENV)" .pytest_cache .mypy_cache .ruff_cache .hypothesis

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

$(VENV)/.ready-check: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[check]'
	@touch "$@"
