# Tidemill's commands. `make run` and `make test` set up everything they need.

PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak lock clean

help:
	@echo "make run     set up and start everything; prints one address"
	@echo "make test    run all tests (starts its own servers)"
	@echo "make check   linters, types, import rules, migrations, deployment settings"
	@echo "make bench   measure, side by side with named peers"
	@echo "make soak    the long kill tests and fuzzing"
	@echo "make lock    renew the pinned requirements from pyproject.toml"
	@echo "make clean   remove the environment and caches; your data in var/ stays"

# A development environment satisfies `make run` too, so running never takes packages away.
.venv/.ok-run: requirements/run.txt requirements/uv.txt
	@test -f .venv/.ok-dev && touch $@ || scripts/bootstrap.sh run $(PYTHON)

.venv/.ok-dev: requirements/dev.txt requirements/uv.txt
	@scripts/bootstrap.sh dev $(PYTHON)

run: .venv/.ok-run
	@exec $(MANAGE) up

test: .venv/.ok-dev
	@scripts/need.sh chromium:chromium postgres:postgresql npm:npm \
		mariadbd:mariadb-server-core my_print_defaults:mariadb-client-core
	@$(BIN)/python scripts/run_tests.py $(TESTS)

check: .venv/.ok-dev
	@scripts/check.sh

bench: .venv/.ok-dev
	@scripts/need.sh vipsthumbnail:libvips-tools
	@$(BIN)/python -m benchmarks

soak: .venv/.ok-dev
	@TIDEMILL_SOAK=1 $(BIN)/python scripts/run_tests.py --soak

lock: .venv/.ok-dev
	@scripts/lock.sh

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/.cache
