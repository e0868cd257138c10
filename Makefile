# make demo    three nodes on this machine, a real job, its result
# make test    the whole suite
# make check   format, lint, types, import contracts, tidy rules
# make bench   figures against their floors (LONG=1 adds the slow rows)
# make docs    writes the generated pages again
#
# Each sets up .venv by itself from nothing but Python 3.11 (with venv), make and git.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
PY := $(VENV)/bin/python
PACKAGES := mesh scheduler runtime storage sim
RUN := $(VENV)/ready-to-run
DEV := $(VENV)/ready-to-develop
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input
# Byte code is written afterwards, by all processors: that halves what pip takes for it.
INSTALL := $(PIP) install --no-compile
# Where trio is, and the rules whose breach breaks a trio program: cancellation swallowed, awaits in
# `finally` without a shield, `yield` inside a nursery, a call that was never awaited.
SHELLS := mesh/node mesh/edge runtime storage
ASYNC_RULES := ASYNC100,ASYNC101,ASYNC102,ASYNC103,ASYNC104,ASYNC105,ASYNC118,ASYNC120

# A checkout that was moved or copied must not run the code of the old place.
-include $(VENV)/made-in.mk
ifneq ($(MADE_IN),)
ifneq ($(MADE_IN),$(CURDIR))
$(shell rm -rf $(VENV))
endif
endif

.PHONY: help demo test check bench docs clean finish

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(RUN)
	@$(PY) examples/demo/demo.py

test: $(DEV)
	@$(PY) -m pytest -q -rs $(ARGS)

check: $(DEV)
	@echo "format"; $(PY) -m ruff format --check --quiet --output-format concise . \
	  || { echo "Some files are not formatted: run '$(PY) -m ruff format .'."; exit 1; }
	@echo "lint"; $(PY) -m ruff check --quiet --output-format concise .
	@$(VENV)/bin/flake8-async --enable $(ASYNC_RULES) $$(find $(SHELLS) -name '*.py')
	@echo "types"; $(PY) -m mypy --no-error-summary
	@echo "imports"; $(VENV)/bin/lint-imports >$(VENV)/imports.txt 2>&1 \
	  || { cat $(VENV)/imports.txt; exit 1; }
	@echo "tidy"; $(PY) -m pytest -q -rs tests/tidy

bench: $(DEV)
	@$(PY) -m tests.bench

docs: $(DEV)
	@$(PY) docs/generate.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/made:
	@python=; for name in "$(PYTHON)" python3.11 python3; do \
	  [ -n "$$name" ] || continue; \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && { python=$$name; break; }; done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer was not found: install it, or name it with 'make PYTHON=/path/to/python3.11 ...'." >&2; exit 1; fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python has no venv module: install it (on Debian and Ubuntu the package is python3-venv)." >&2; exit 1; fi; \
	echo "set-up 1/3: a virtual environment in $(VENV), with $$("$$python" --version)"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@printf 'MADE_IN := %s\n' '$(CURDIR)' >$(VENV)/made-in.mk
	@touch $@

$(RUN): requirements.lock pyproject.toml | $(VENV)/made
	@echo "set-up 2/3: what bacalhau-mesh needs to run ($$(grep -c == requirements.lock) packages, checked against requirements.lock)"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(MAKE) finish
	@touch $(RUN)

$(DEV): requirements.lock requirements-dev.lock pyproject.toml | $(VENV)/made
	@echo "set-up 2/3: what bacalhau-mesh needs to run and to be tested ($$(grep -c == requirements-dev.lock) packages, checked against requirements-dev.lock)"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(MAKE) finish
	@touch $(RUN) $(DEV)

# Without byte code the first start of a node takes a second.
finish:
	@echo "set-up 3/3: bacalhau-mesh itself, and byte code"
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@$(PY) -m compileall -q -j 0 $(VENV)/lib $(PACKAGES) >/dev/null 2>&1 || true
