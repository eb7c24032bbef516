# Everything runs in .venv, an environment of the project's own. PYTHON is any Python from 3.11 on.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev
SUPPLY_STAMP := .venv/.installed-supply

.PHONY: run test check format demo lock audit clean

run: $(STAMP)  ## run the collector on the embedded store (otel-llm.duckdb in this folder)
	$(BIN)/otel-llm serve

test: $(DEV_STAMP)  ## run all tests, several files at a time; PYTEST_ARGS="-k name" narrows them
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(DEV_STAMP)  ## format, lint and types, as the continuous integration checks them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(DEV_STAMP)  ## format, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: $(DEV_STAMP)  ## start a collector, run a real OpenAI app against it, show the answers
	$(BIN)/python examples/demo.py

lock: $(SUPPLY_STAMP)  ## write requirements.lock anew, with hashes
	$(BIN)/uv pip compile pyproject.toml --extra postgres --extra clickhouse --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
		--quiet --upgrade --output-file requirements.lock

audit: $(SUPPLY_STAMP)  ## look the locked packages up in the advisory database (needs the network)
	$(BIN)/pip-audit --strict --requirement requirements.lock --require-hashes --disable-pip

clean:  ## remove the environment and caches; stores are kept
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

# dependency groups need a pip from 25.1 on, which may be newer than the one Python brings
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "otel-llm needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(STAMP): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(DEV_STAMP): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[postgres,clickhouse]" --group dev
	touch $(STAMP) $@

$(SUPPLY_STAMP): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --group supply
	touch $@
