# Everything runs in .venv. The first target that needs it creates it: with uv if it is on the PATH,
# else with venv and pip. requirements/ pins all packages with their hashes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
# The tests start hundreds of Python processes, and each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
SERVER_READY := $(VENV)/.server-ready
DEV_READY := $(VENV)/.dev-ready

# Overridable on the command line: make run PORT=9000, make demo DATA=/tmp/demo, make test JOBS=4.
PYTHON ?=
DATA ?= data
HOST ?=
PORT ?=
JOBS ?= 2
ARGS ?=

SERVE_OPTIONS = --data-dir "$(DATA)" $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)")

PYTEST = $(BIN)/pytest -n $(JOBS)
ON_SQLITE = OBEYA_TEST_DATABASE=sqlite OBEYA_MLFLOW_PYTHON="$(MLFLOW)/bin/python" $(PYTEST)
ON_POSTGRESQL = OBEYA_TEST_DATABASE=postgresql OBEYA_MLFLOW_PYTHON="$(MLFLOW)/bin/python" $(PYTEST)

# The tests run MLflow's clients and server in separate environments. These are large, so they are
# kept for later runs and other checkouts.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/obeya
MLFLOW = $(CACHE)/mlflow-$(shell cksum < requirements/mlflow.lock | cut -d ' ' -f 1)
AUDIT = $(CACHE)/audit-$(shell cksum < requirements/audit.lock | cut -d ' ' -f 1)
MLFLOW2 = $(CACHE)/mlflow2-$(shell cksum < requirements/mlflow2.lock | cut -d ' ' -f 1)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  With another port and data directory: make demo PORT=8123 DATA=/path/to/data"

.PHONY: demo
demo: $(SERVER_READY) ## Start the registry with sample models, on port 8000 with ./data
	@exec $(BIN)/obeya demo $(SERVE_OPTIONS)

.PHONY: run
run: $(SERVER_READY) ## Start the registry without sample models, on port 8000 with ./data
	@exec $(BIN)/obeya serve $(SERVE_OPTIONS)

.PHONY: dev
dev: $(DEV_READY) ## Create or update .venv for development

.PHONY: check
check: $(DEV_READY) ## Run the linter, formatters, type checker and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/djangofmt --check templates
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Without a browser only the browser tests fail, each with the reason.
.PHONY: chromium
chromium: $(DEV_READY)
	@$(BIN)/python scripts/find_chromium.py || true

.PHONY: test
test: check chromium test-sqlite test-postgresql ## Run every check that a change must pass (about ten minutes)

.PHONY: test-sqlite
test-sqlite: $(DEV_READY) $(MLFLOW)/.ready chromium ## Run the tests of `make test` on SQLite
	$(ON_SQLITE) -m "not release" $(ARGS)

.PHONY: test-postgresql
test-postgresql: $(DEV_READY) $(MLFLOW)/.ready ## Run the tests of `make test` that can differ on PostgreSQL
	$(ON_POSTGRESQL) -m "both_engines and not release" $(ARGS)

.PHONY: test-all
test-all: check chromium test-all-sqlite test-all-postgresql test-mlflow audit-locks ## Run all tests on both engines and with MLflow 2, before a release

.PHONY: test-all-sqlite
test-all-sqlite: $(DEV_READY) $(MLFLOW)/.ready chromium
	OBEYA_TEST_ALL=1 $(ON_SQLITE) $(ARGS)

.PHONY: test-all-postgresql
test-all-postgresql: $(DEV_READY) $(MLFLOW)/.ready chromium
	OBEYA_TEST_ALL=1 $(ON_POSTGRESQL) $(ARGS)

.PHONY: test-mlflow
test-mlflow: $(DEV_READY) $(MLFLOW2)/.ready ## Run the tests of the MLflow protocol with clients of MLflow 2
	OBEYA_MLFLOW_PYTHON="$(MLFLOW2)/bin/python" $(PYTEST) tests/mlflow $(ARGS)

# The only check that needs a network; without one it says so.
.PHONY: audit-locks
audit-locks: $(DEV_READY) $(AUDIT)/.ready ## Look up known vulnerabilities of the packages in requirements/*.lock
	$(BIN)/python scripts/audit_locks.py "$(AUDIT)/bin/pip-audit"

.PHONY: screenshots
screenshots: $(DEV_READY) chromium ## Update the pictures in the README
	$(BIN)/python scripts/screenshots.py

.PHONY: openapi
openapi: $(DEV_READY) ## Generate docs/openapi.json
	$(BIN)/python scripts/write_openapi.py

.PHONY: webhook-events
webhook-events: $(DEV_READY) ## Generate docs/webhook-events.md
	$(BIN)/python scripts/webhook_events.py

.PHONY: clean
clean: ## Remove .venv, caches and built files, but not the data directory
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# --- The environment ------------------------------------------------------------------------------

# Prints a Python that is new enough and can create environments, or what is missing.
define FIND_PYTHON
	asked="$(PYTHON)"; found=; old=; bare=; \
	for candidate in $${asked:-python3 python3.13 python3.12 python3.11 python3.14 python}; do \
	  command -v "$$candidate" >/dev/null 2>&1 || continue; \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	    || { old="$$old $$candidate"; continue; }; \
	  "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 \
	    || { bare="$$candidate"; continue; }; \
	  found="$$candidate"; break; \
	done; \
	if [ -z "$$found" ]; then \
	  if [ -n "$$bare" ]; then \
	    echo "Obeya: $$bare has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  elif [ -n "$$old" ]; then \
	    echo "Obeya needs Python 3.11 or newer; these are older:$$old. Choose another: make PYTHON=/path/to/python3" >&2; \
	  else \
	    echo "Obeya needs Python 3.11 or newer; found no $${asked:-python3} on the PATH. Choose one: make PYTHON=/path/to/python3" >&2; \
	  fi; \
	  exit 1; \
	fi
endef

# Creates .venv unless a usable one exists, then installs lock $(1) and the checkout itself.
define INSTALL
	@set -e; \
	if command -v uv >/dev/null 2>&1; then \
	  "$(BIN)/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	    || uv venv --quiet --clear --python "$(or $(PYTHON),>=3.11)" $(VENV); \
	  echo "Installing $(1) into $(VENV) with uv"; \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1); \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  if ! "$(BIN)/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    $(FIND_PYTHON); \
	    "$$found" -m venv --clear $(VENV); \
	  fi; \
	  echo "Installing $(1) into $(VENV) with pip; the first time takes about a minute"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
endef

$(SERVER_READY): requirements/server.lock pyproject.toml
	$(call INSTALL,requirements/server.lock)
	@touch $@

# The development lock contains the versions of the server lock, so both are ready.
$(DEV_READY): requirements/dev.lock requirements/server.lock pyproject.toml
	$(call INSTALL,requirements/dev.lock)
	@touch $(SERVER_READY) $@

# Creates the environment $(2) from lock $(1) only; the name contains a checksum of the lock. The
# marker is created last, so that an interrupted installation is repeated.
define INSTALL_APART
	@set -e; \
	echo "Installing $(1) into $(2); it is kept there for later runs"; \
	mkdir -p "$(dir $(2))"; \
	if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --clear --python $(BIN)/python "$(2)"; \
	  uv pip install --quiet --python "$(2)/bin/python" --require-hashes -r $(1); \
	else \
	  $(BIN)/python -m venv --clear "$(2)"; \
	  "$(2)/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
	fi; \
	touch "$(2)/.ready"
endef

$(MLFLOW)/.ready: | $(DEV_READY)
	$(call INSTALL_APART,requirements/mlflow.lock,$(MLFLOW))

$(MLFLOW2)/.ready: | $(DEV_READY)
	$(call INSTALL_APART,requirements/mlflow2.lock,$(MLFLOW2))

$(AUDIT)/.ready: | $(DEV_READY)
	$(call INSTALL_APART,requirements/audit.lock,$(AUDIT))

# --- The locks ------------------------------------------------------------------------------------

# One resolution for every platform and every Python from 3.11 on. UPGRADE=1 takes newer versions.
LOCK = uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-annotate --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: ## Update requirements/*.lock (needs uv; UPGRADE=1 takes newer versions)
	@command -v uv >/dev/null 2>&1 || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(LOCK) pyproject.toml --extra server --group build -o requirements/server.lock
	$(LOCK) pyproject.toml --extra server --group dev -c requirements/server.lock \
	  -o requirements/dev.lock
	$(LOCK) requirements/mlflow.in -o requirements/mlflow.lock
	$(LOCK) requirements/mlflow2.in -o requirements/mlflow2.lock
	$(LOCK) requirements/audit.in -o requirements/audit.lock
