# Everything runs inside .venv, from the hashed lock file; nothing is needed but Python >= 3.11, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALLED := $(VENV)/.installed
OUTPUT ?= demo
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast lint format typecheck docs bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the locked dependencies and vdb itself

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

$(INSTALLED): requirements.lock pyproject.toml | $(UV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps -e .
	@touch $@

demo: install ## Train nothing, download nothing: world, ingest, analyses, report (OUTPUT=demo)
	$(BIN)/vdb demo --output $(OUTPUT)

test test-fast: export OMP_NUM_THREADS ?= 1 # tests are many and small: threads only wait for each other

# A file stays in one process: what its tests share is made once.
test: install ## All tests, JOBS at a time (set VDB_REAL_DATA for those on real data)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

test-fast: install ## Tests that take less than about ten seconds each
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not slow and not real"

lint: install ## ruff, formatting and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: install ## Rewrite the code the way ruff formats it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: install ## mypy, strict
	$(BIN)/mypy

docs: install ## Build docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

bench: install ## Print every ratio the project holds itself to
	$(BIN)/python -m benchmarks

lock: $(UV) ## Resolve pyproject.toml into requirements.lock again
	$(UV) pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--all-extras --upgrade pyproject.toml -o requirements.lock

clean: ## Remove .venv and everything built
	rm -rf $(VENV) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
