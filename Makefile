# Every verb sets itself up: it needs Python 3.11 to 3.13, make and git, nothing else.
# Run by root on Debian, `make test` also installs the browser that looks at the report.

VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --constraint constraints.txt

.PHONY: help demo test check fix study bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install optiq into $(VENV) and run its demo"
	@echo "make test    ruff, mypy and the tests"
	@echo "make check   ruff and mypy only"
	@echo "make fix     let ruff mend and format the code"
	@echo "make study   the long studies; each writes a dated table into docs/studies/"
	@echo "make bench   the benchmarks in bench/"
	@echo "make clean   remove $(VENV) and what tools cached"

demo: $(VENV)/.core
	@$(BIN)/optiq demo

test: check
	@.ci/browser
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

check: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

fix: $(VENV)/.dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

study: $(VENV)/.dev
	@HYPOTHESIS_PROFILE=study $(BIN)/python -m pytest -m study

bench: $(VENV)/.dev
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A stamp is older than what it was made from only when something must be installed again.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "optiq: installing into $(VENV) (a minute or two the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "optiq: installing into $(VENV), with what the tests need (a few minutes the first time)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.core

# PYTHON=/path/to/python chooses one; else the first that is 3.11 to 3.13 and can make environments.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
		$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
			2>/dev/null || continue; \
		echo "optiq: making $(VENV) with $$($$python --version)"; \
		$$python -m venv --clear $(VENV) && exit 0; \
	done; \
	echo "optiq: no Python 3.11 to 3.13 that can make virtual environments" \
		"(on Debian: apt install python3 python3-venv; or make PYTHON=/path/to/python)" >&2; \
	exit 1
