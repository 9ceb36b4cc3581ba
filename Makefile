# Tuition. `make help` lists what there is; `make run` needs nothing but Python 3.11+ and make.

PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin
TESTS := $(BIN)/python -m pytest
PARALLEL := $(TESTS) -n 2 --dist worksteal
FAST := not browser and not journey and not slow and not simulation and not crash
SERVICES := not browser and not journey and not simulation and not crash
# What reaches every branch of the three packages that money passes through. Measuring makes a test 1.7 times as long on
# Python 3.11, so only what is needed is measured, and never tests/site/test_hostile_input.py: it bounds CPU seconds.
COVERED := tests/checkout tests/enrollment tests/payments tests/ops tests/site/test_seats.py tests/site/test_claims.py \
           tests/site/test_access.py tests/site/test_checkout_pages.py tests/site/test_checkout_form.py \
           tests/site/test_lessons.py tests/site/test_came_from.py tests/catalog/test_course_states.py \
           tests/catalog/test_courses.py tests/admin/test_home.py tests/admin/test_order_page.py \
           tests/admin/test_order_refunds.py tests/admin/test_free_seats.py tests/admin/test_stripe_health.py
# What else notices a fault in them.
NOTICING := $(COVERED) tests/reports tests/cli/test_ledger.py tests/cli/test_orders.py
SEEDS ?= 100
FIRST ?= 1
SAMPLE ?= 400
SEED ?= 7
DB ?= sqlite

export PORT
# A shell that forbids bytecode makes each of the gate's processes compile everything anew: six seconds each.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help run web worker sandbox test test-alone test-parallel check format lint types imports migrations \
        test-fast test-unmeasured test-slow test-sandbox test-postgresql test-journeys test-browser test-simulation \
        test-crash-points simulate crash-points coverage mutation bench-pages bench-webhooks bench-admin \
        audit lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# pip's exit code decides; the stamp is written only after a complete install.
.venv/run.stamp: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what Tuition needs (about half a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what the gate needs (about a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch .venv/run.stamp $@

run: .venv/run.stamp  ## the whole shop: web, worker and offline Stripe sandbox, with demo content
	@exec $(BIN)/python -m app.cli.run

web: .venv/run.stamp  ## only the web server, with the environment's settings; brings the database up to date first
	@$(BIN)/flask db upgrade
	@exec $(BIN)/granian --interface wsgi --host 127.0.0.1 --port $(PORT) --workers 1 --blocking-threads 32 \
	  --no-access-log --log-level error app.wsgi:application

worker: .venv/run.stamp  ## only the worker
	@exec $(BIN)/flask jobs work

sandbox: .venv/run.stamp  ## only the offline Stripe sandbox
	@STRIPE_WEBHOOK_SECRET=$${STRIPE_WEBHOOK_SECRET:-$$($(BIN)/python -c \
	  "from app.config import load_settings; print(load_settings().stripe_webhook_secrets[0])")} \
	  exec $(BIN)/python -m app.sandbox

test: lint imports  ## the whole gate, as .ci/run calls it
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-alone test-parallel
	@echo "The gate is green."

# What keeps one core busy, or waits, beside what keeps two busy: no core is idle before the end.
test-alone: .venv/dev.stamp
	@$(MAKE) --no-print-directory types test-journeys test-browser test-crash-points

# All tests on SQLite, those of "coverage" measured; PostgreSQL last, for it fills both cores to the end.
test-parallel: .venv/dev.stamp
	@$(MAKE) --no-print-directory coverage test-unmeasured test-slow test-simulation test-postgresql

check: lint types imports test-fast  ## the fast part of the gate

format: .venv/dev.stamp  ## format the code
	@$(BIN)/ruff format app tests && $(BIN)/ruff check --fix app tests

lint: .venv/dev.stamp
	@$(BIN)/ruff format --check --quiet app tests
	@$(BIN)/ruff check app tests

types: .venv/dev.stamp
	@$(BIN)/mypy

imports: .venv/dev.stamp
	@$(BIN)/lint-imports --no-logo

test-fast: .venv/dev.stamp  ## unit and service tests on SQLite
	@$(PARALLEL) -m "$(FAST)" --ignore tests/sandbox --ignore tests/migrations

test-unmeasured: .venv/dev.stamp  ## those of them that "make coverage" leaves out, the sandbox and the migrations
	@$(PARALLEL) -m "$(FAST)" $(addprefix --ignore ,$(COVERED))

test-slow: .venv/dev.stamp  ## races, properties and fuzzing on SQLite
	@$(PARALLEL) -m slow

test-sandbox: .venv/dev.stamp  ## the offline Stripe sandbox
	@$(PARALLEL) tests/sandbox

migrations: .venv/dev.stamp  ## up, down and up again on both databases, compared with the models
	@$(TESTS) tests/migrations
	@TEST_DATABASE=postgresql $(TESTS) tests/migrations

test-postgresql: .venv/dev.stamp  ## all of them that reach a database, and the migrations, on a real PostgreSQL
	@TEST_DATABASE=postgresql $(PARALLEL) -m "$(SERVICES)" --ignore tests/sandbox

test-journeys: .venv/dev.stamp  ## shop, worker and sandbox over real HTTP
	@$(TESTS) -m journey tests/journeys tests/faults

test-browser: .venv/dev.stamp  ## a real Chromium
	@$(TESTS) -m browser tests/browser
	@$(TESTS) -m browser tests/sandbox/test_browser.py

test-simulation: .venv/dev.stamp  ## 100 seeds of the simulator, judged by its reference model
	@$(TESTS) -m simulation tests/simulation

test-crash-points: .venv/dev.stamp  ## a seeded sample of 40 crash points
	@$(TESTS) -m crash tests/crash_points

simulate: .venv/dev.stamp  ## the simulator: make simulate SEEDS=5000 DB=sqlite|postgresql FIRST=1
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --database $(DB)

crash-points: .venv/dev.stamp  ## every crash point, each killed once: make crash-points DB=sqlite|postgresql
	@$(BIN)/python -m tests.crash_points --database $(DB)

coverage: .venv/dev.stamp  ## every branch of payments, checkout and enrollment; fails below 100 %
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest -n 2 --dist worksteal -m "$(FAST)" $(COVERED)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

mutation: build/mutation/seconds.json  ## how many of a sample of small faults the tests notice: make mutation SAMPLE=400 SEED=7
	@$(BIN)/python -m tests.mutation --sample $(SAMPLE) --seed $(SEED)

# Which tests reach which line; written anew when any source has changed.
build/mutation/seconds.json: .venv/dev.stamp $(shell find app tests -name '*.py')
	@rm -rf build/mutation && mkdir -p build/mutation
	@$(BIN)/coverage run --data-file=build/mutation/coverage -m pytest -p tests.mutation.reach -n 2 -m "$(FAST)" $(NOTICING)
	@$(BIN)/coverage combine --quiet --data-file=build/mutation/coverage

bench-webhooks: .venv/dev.stamp  ## how fast webhooks are answered, also under faults
	@$(BIN)/python -m tests.benchmarks.webhooks

bench-pages: .venv/dev.stamp  ## server CPU per public page
	@$(BIN)/python -m tests.benchmarks.pages

bench-admin: .venv/dev.stamp  ## how long the back-office's lists take with 100,000 orders on PostgreSQL
	@$(BIN)/python -m tests.benchmarks.admin_lists

audit: .venv/dev.stamp  ## known vulnerabilities of the locked dependencies (asks the package index)
	@$(PYTHON) -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit
	@.venv/audit/bin/pip-audit --require-hashes -r requirements.txt

lock: .venv/dev.stamp  ## write the hash-locked requirements anew from pyproject.toml
	@$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv
	@.venv/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml -o requirements.txt
	@.venv/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

clean:  ## remove what was installed and built, keep instance/
	rm -rf .venv build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
