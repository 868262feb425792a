# `make demo` and `make test` each set up all they need: a virtual environment in .venv, pinned packages, and the weights.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The question for `make demo Q='…'`, handed on through the environment, so that no quote in it reaches the shell.
# As it was typed: make would read a dollar sign in it as the beginning of a variable.
override Q := $(value Q)
export Q

.PHONY: help demo test check weights phoenix clean

help:
	@echo "make demo [Q='question']   index this repository and ask it a two-hop question"
	@echo "make test                  run every test"
	@echo "make check                 lint and types"
	@echo "make phoenix               install Arize Phoenix, which one test sends a trace to"
	@echo "make clean                 remove .venv and the demo's index"

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hoplite needs Python 3.11 or newer; set PYTHON=…"; exit 2; }
	@echo "Installing the pinned packages into $(VENV): a few minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,dev]'
	@touch $@

# In an environment of its own: 855 MB that nothing but one test needs, which is skipped without.
$(VENV)/phoenix/ready: $(VENV)/ready Makefile
	@$(PYTHON) -m venv $(VENV)/phoenix
	@$(VENV)/phoenix/bin/python -m pip install --quiet --quiet --disable-pip-version-check arize-phoenix==20.26.1
	@touch $@

phoenix: $(VENV)/phoenix/ready

weights: $(VENV)/ready
	@$(BIN)/hoplite models pull

demo: weights
	@if [ -n "$$Q" ]; then $(BIN)/hoplite demo "$$Q"; else $(BIN)/hoplite demo; fi

test: weights
	$(BIN)/python -m pytest

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .hoplite
