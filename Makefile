# One-line commands; CONTRIBUTING.md says when to use which.
PYTHON ?= python3
BIN := .venv/bin
CODE := airflow_provider_lms benchmarks dev example_dags tests

.DEFAULT_GOAL := help
.PHONY: help demo test test-airflow lint format benchmark benchmark-zoho benchmark-waiting requirements clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: .venv-demo/installed  ## run the example DAG in a real Airflow against the simulator
	@.venv-demo/bin/python -m dev.demo $(ARGS)

test: .venv/installed  ## run the whole test suite on the newest Airflow
	$(BIN)/python -m pytest $(ARGS)

test-airflow: .venv/installed  ## run the tests on older Airflows: make test-airflow V="2.11 3.0 3.1 3.2"
	$(BIN)/python -m dev.matrix $(V)

lint: .venv/installed  ## check style, types and names
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: .venv/installed  ## put style right
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

benchmark: .venv-benchmark/installed  ## measure against other ways to do the same
	@.venv-benchmark/bin/python -m benchmarks $(ARGS)

benchmark-zoho: .venv/installed  ## measure reading under Zoho's limits, scaled down
	$(BIN)/python -m benchmarks.zoho $(ARGS)

benchmark-waiting: .venv-benchmark/installed  ## measure thousands of triggers that wait
	@.venv-benchmark/bin/python -m benchmarks.waiting $(ARGS)

requirements: .venv/installed  ## compile the pinned environments anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev --output-file requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group benchmark --constraint requirements/dev.txt --output-file requirements/benchmark.txt

clean:  ## remove environments and leftovers
	rm -rf .venv .venv-* .demo build dist .pytest_cache .mypy_cache .ruff_cache

.venv/installed: requirements/dev.txt pyproject.toml
	$(call environment,.venv,requirements/dev.txt)

.venv-demo/installed: requirements/demo.txt pyproject.toml
	$(call environment,.venv-demo,requirements/demo.txt)

.venv-benchmark/installed: requirements/benchmark.txt pyproject.toml
	$(call environment,.venv-benchmark,requirements/benchmark.txt)

define environment
	@echo "Setting up $(1) (once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes --requirement $(2)
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --editable .
	@touch $(1)/installed
endef
