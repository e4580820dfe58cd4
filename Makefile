# Everything needs only Python 3.11 or newer with venv; the rest is installed into .venv.
PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test lint types clean

run: $(VENV)/.ready
	$(BIN)/vmconc compare make-build --cpus 2

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest -q

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .

types: $(VENV)/.ready-dev
	$(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/.ready-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@ $(VENV)/.ready

$(VENV)/.ready-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[dev,test]'
	touch $@ $(VENV)/.ready $(VENV)/.ready-test

clean:
	rm -rf $(VENV) build dist runs .mypy_cache .pytest_cache .ruff_cache
