# vitalrelay: every target needs python3 (3.11 or newer) and make, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PEERS  := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help install demo test browser-tests check lint types contracts fmt lock bench clean

help: ## what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 16

install: $(STAMP) ## .venv with everything in it; again and again without harm

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vitalrelay needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## a synthetic ward on real servers, in this terminal, until Ctrl-C
	$(BIN)/vitalrelay demo

test: install check ## everything that must be true
	$(BIN)/python -m pytest $(PYTEST_ARGS)

browser-tests: install ## what a nurse sees, in a real Chromium
	VITALRELAY_REQUIRE_BROWSER=1 $(BIN)/python -m pytest tests/browser $(PYTEST_ARGS)

check: lint types contracts ## lint, types, import contracts

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

contracts: install
	$(BIN)/lint-imports

fmt: install ## format, and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## write the lock files anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	    --python-version 3.11 --extra embedded --group dev pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	    --python-version 3.11 bench/peers/requirements.in --output-file bench/peers/requirements.lock

$(PEERS)/.installed: bench/peers/requirements.lock
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

bench: install $(PEERS)/.installed ## side by side with the naive service (BENCH=name for one)
	$(BIN)/python -m bench $(BENCH)

clean: ## remove what this Makefile made
	rm -rf $(VENV) $(PEERS) build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
