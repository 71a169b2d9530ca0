# `make` lists the targets. Every target sets up what it needs: Python 3.11+ and make are enough.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := build/src/corpusgate
# Tests start Python hundreds of times: wherever this is set, it would compile everything each time.
export PYTHONDONTWRITEBYTECODE :=
# A file's tests share servers, corpora and models: they stay together.
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test faults check lint types layers doctest bench wheel clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /#/' | \
		while IFS='#' read -r target text; do printf '  make %-9s %s\n' "$$target" "$$text"; done

demo: $(READY) ## Build a small corpus in build/demo and run the whole gate on it
	$(BIN)/python examples/demo/make_corpus.py build/demo
	$(BIN)/corpusgate run build/demo/job.yaml --fresh

test: $(READY) ## Run the tests, without the slow and the fault suites
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow and not faults"

faults: $(READY) ## Run the slow and the fault suites
	$(BIN)/pytest $(SIDE_BY_SIDE) --no-loadscope-reorder -m "slow or faults"

check: lint types layers doctest ## Lint, format, types, import layers and doctests; changes nothing

lint: $(READY) ## Check style and format with ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY) $(SOURCES) ## Check types with mypy, strictly
	$(BIN)/mypy

layers: $(READY) ## Check that imports go one way
	$(BIN)/lint-imports

# Through the link, modules have the same names as in an install: corpusgate.filters.errors, ...
doctest: $(READY) $(SOURCES) ## Run the examples in the docstrings
	$(BIN)/pytest --doctest-modules $(addprefix $(SOURCES)/,__init__.py filters connectors jobs)

bench: $(READY) ## Run the benchmarks and print one table of results
	$(BIN)/python benchmarks/run.py

wheel: $(READY) ## Build the source archive and, from it, the wheel, into dist/
	rm -rf dist
	$(BIN)/python -m build

clean: ## Remove all that make has made, the virtual environment too
	rm -rf $(VENV) build dist *.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again whenever pyproject.toml changes.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
		"corpusgate needs Python 3.11 or later; name one: make PYTHON=python3.11")'
	@echo "Setting up $(VENV); the first time this takes a few minutes"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# mypy and pytest name a module by its path: see it under the name it is installed by.
$(SOURCES):
	@mkdir -p $(@D)
	@ln -sfn ../.. $@
