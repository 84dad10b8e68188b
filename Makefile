# What a developer and CI do here. Bare `make` lists it. ARGS goes to the command: make test ARGS="-k rent -x";
# WORKERS is how many processes test at once, each on servers of its own (0: this one alone).

.DEFAULT_GOAL := help
.PHONY: help demo run stop test test-fast test-browser bench lint types check fix docs lock clean

BIN := .venv/bin
STAMP := .venv/.installed
BROWSER_STAMP := .venv/.installed-browser
BROWSER_LOCK := tests/browser/requirements.lock
SOURCES := propman services shared tests tools $(wildcard benchmarks)
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(if $(UPGRADE),--upgrade)
ARGS ?=
WORKERS ?= 2

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Watch months of rent go by and one being billed, on private local servers
	@$(BIN)/propman demo $(ARGS)

run: $(STAMP) ## Run all services in this terminal, on private local servers
	@$(BIN)/propman dev start && $(BIN)/propman db init && $(BIN)/propman db migrate
	@$(BIN)/propman run $(ARGS)

stop: ## Stop the local servers that were started here
	@if [ -x $(BIN)/propman ]; then $(BIN)/propman dev stop; else echo "Nothing was started here."; fi

test: $(STAMP) ## Run every test, on real servers
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(STAMP) ## Run the tests that need no server
	@$(BIN)/python -m pytest -m "not servers and not faults and not docker" $(ARGS)

test-browser: $(BROWSER_STAMP) ## Sign leases in a headless Chromium, which is installed where it is missing
	@export PROPMAN_CHROMIUM="$$(tools/find-chromium)" && $(BIN)/python -m pytest -m browser tests/browser $(ARGS)

bench: $(STAMP) ## Measure throughput on this machine
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(STAMP) ## Check style, import contracts and budgets
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/lint-imports
	@$(BIN)/python tools/budgets.py
	@$(BIN)/propman notifications template check

types: $(STAMP) ## Check types
	@$(BIN)/mypy $(SOURCES)

check: lint types ## Everything that can be checked without running it

fix: $(STAMP) ## Let ruff repair and format what it can
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

docs: $(STAMP) ## Write the services' AsyncAPI and OpenAPI documents anew
	@for app in services/*/app.py; do \
	  service=$$(basename "$$(dirname "$$app")") && file=docs/asyncapi/$$service.json && \
	  $(BIN)/propman "$$service" asyncapi >"$$file.new" && mv "$$file.new" "$$file" || exit 1; \
	done
	@$(BIN)/propman billing openapi >docs/openapi/billing.json
	@$(BIN)/propman leasing openapi >docs/openapi/leasing.json
	@$(BIN)/propman notifications openapi >docs/openapi/notifications.json

lock: $(STAMP) ## Resolve the dependencies again (UPGRADE=1 for newer versions)
	@$(COMPILE) --extra otel --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra dev --extra otel --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --constraint requirements-dev.lock --output-file $(BROWSER_LOCK) tests/browser/requirements.in

clean: stop ## Stop the local servers; remove .venv, caches and the servers' data
	@rm -rf .venv .local build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements-dev.lock pyproject.toml tools/make-venv
	@tools/make-venv

$(BROWSER_STAMP): $(STAMP) $(BROWSER_LOCK)
	@env -u PYTHONPATH $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(BROWSER_LOCK)
	@touch $@
