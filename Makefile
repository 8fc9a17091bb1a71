# Everything a developer or a first-time operator runs. Each target sets up .venv first when it is missing or stale.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
TESTS ?= tests
WORKERS ?= auto
CODE := simyard tests $(wildcard bench)

.DEFAULT_GOAL := help
.PHONY: help serve demo test check bench format schema clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(STAMP) ## serve on http://127.0.0.1:8000 with sandbox numbers and a demo account
	@$(BIN)/simyard serve --sandbox

demo: $(STAMP) ## run one story over real HTTP and print each request and answer
	@$(BIN)/simyard demo

test: $(STAMP) ## run all tests (TESTS=tests/db for some, WORKERS=0 for one process)
	@echo "== tests"
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

check: $(STAMP) ## check format, lint, types, import rules and the shape of the code: all that is fast
	@echo "== format"
	@$(BIN)/ruff format --check $(CODE)
	@echo "== lint"
	@$(BIN)/ruff check $(CODE)
	@echo "== types"
	@$(BIN)/mypy
	@echo "== import rules"
	@$(BIN)/lint-imports --no-logo
	@echo "== shape"
	@$(BIN)/python -m pytest -q tests/shape

bench: $(STAMP) ## measure, and print the figures
	@$(BIN)/python -m bench

format: $(STAMP) ## put the code into its format
	@$(BIN)/ruff check --fix-only --quiet $(CODE)
	@$(BIN)/ruff format $(CODE)

schema: $(STAMP) ## write simyard/db/schema.sql and docs/settings.md anew
	@$(BIN)/python -m simyard.db.migrate --write-schema
	@$(BIN)/python -m simyard.settings > docs/settings.md

clean: ## remove .venv and caches, not data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Simyard needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || \
		{ echo "== making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "== installing the packages of requirements-dev.txt (a minute the first time)"
	@$(PIP) install --quiet --requirement requirements-dev.txt
	@echo "== installing simyard"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
