# BabyMind: `make demo` to try it, `make test` to test it. Each does all of its own set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test check install dev browser lint types imports format texts lock bench soak clean

help:
	@echo "make demo     try it: sample families, a simulated phone, the app team's pages"
	@echo "make test     run every test on SQLite and PostgreSQL, and in a browser"
	@echo "make check    what CI runs: format, lint, types, import contracts, tests"
	@echo "make install  the set-up alone; afterwards .venv/bin/babymind --help"
	@echo "make bench    measure every promise of speed against its limit"
	@echo "make soak     kill processes and let the provider fail, for hours: nothing is doubled or lost"

$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV)…"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Say which with: make PYTHON=python3.12 …") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing pinned packages (about a minute the first time)…"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing pinned packages for the tests (about a minute the first time)…"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN)

install: $(RUN)
	@echo "Ready: $(BIN)/babymind --help"

dev: $(DEV)

demo: $(RUN)
	@$(BIN)/babymind demo

browser:
	@sh tools/browser.sh

test: $(DEV) browser
	@echo "Running the tests on SQLite, PostgreSQL and in the browser…"
	@$(BIN)/python -m pytest -n auto $(ARGS)

format: $(DEV)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lint: $(DEV)
	@echo "Format and lint…"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(DEV)
	@echo "Types…"
	@$(BIN)/mypy

imports: $(DEV)
	@echo "Import contracts…"
	@$(BIN)/lint-imports

texts: $(DEV)
	@echo "The content bank…"
	@$(BIN)/babymind content check

check: lint types imports texts test

bench: $(DEV)
	@$(BIN)/python -m bench

soak: $(DEV)
	@$(BIN)/python -m bench.soak $(ARGS)

lock: $(DEV)
	@$(BIN)/uv pip compile --quiet pyproject.toml requirements/build.in --extra postgres --extra scale --extra media --extra content \
	  --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet pyproject.toml requirements/build.in --all-extras \
	  --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  -c requirements/run.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
