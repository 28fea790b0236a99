# Everything here works on a fresh machine that has git, make and Python 3.11 or later:
# each target makes .venv and installs what it needs the first time (scripts/venv).
# Another interpreter: make PYTHON=python3.13 test

.DEFAULT_GOAL := help
.PHONY: help demo test fast check format bench docs cpython-tests ecosystem clean venv-cli venv-dev venv-bench

export PYTHON
BIN := .venv/bin
JOBS ?= auto

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: venv-cli ## watch a client and a server shake hands, step by step
	@$(BIN)/pellucid demo

test: venv-dev ## every test
	@$(BIN)/python -m pytest -q -n $(JOBS)

.PHONY: interop
interop: venv-dev ## every feature with every TLS stack that is installed, and docs/interop.md from it
	@mkdir -p build && rm -f build/interop.jsonl
	-@PELLUCID_INTEROP=whole PELLUCID_INTEROP_RESULTS=build/interop.jsonl \
		$(BIN)/python -m pytest -q -n $(JOBS) tests/interop/test_matrix.py
	@$(BIN)/python -m tests.interop.table build/interop.jsonl

fast: venv-dev ## the tests that take less than a second each
	@$(BIN)/python -m pytest -q -m "not slow and not interop"

check: venv-dev ## format, lint and types
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy --strict

format: venv-dev ## put the files into the form that `make check` asks for
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: venv-bench ## speed beside the standard ssl module, in one interleaved run
	@$(BIN)/python -m pellucid.bench

docs: venv-dev ## draw the pictures and tables in docs/ again, from the code
	@$(BIN)/python docs/draw.py

.PHONY: site
site: venv-dev ## the documentation with every public name, as a site in build/site
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . build/site
	@echo build/site/docs/index.html

cpython-tests: venv-dev ## CPython's own tests of ssl over pellucid, in every interpreter at hand
	@$(BIN)/python tests/compat/cpython.py

.PHONY: suites
suites: venv-dev ## other libraries' own tests of TLS over pellucid; the table in docs/ssl.md
	@$(BIN)/python tests/compat/suites.py

ecosystem: venv-dev ## requests, httpx, uvicorn and others over pellucid; writes docs/ecosystem.md
	@PELLUCID_INTEROP=whole $(BIN)/python -m pytest -q tests/ecosystem --junitxml=build/ecosystem.xml
	@PYTHONPATH=tests $(BIN)/python -m ecosystem.table build/ecosystem.xml docs/ecosystem.md

clean: ## remove .venv and every cache
	@rm -rf .venv .venv-3.* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv-cli venv-dev venv-bench: venv-%:
	@scripts/venv $*
