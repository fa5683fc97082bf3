# Each target makes its own virtual environment from nothing; uv is used where it is there.
#
#   make demo     treetap at work on an unmodified program; about a minute
#   make test     the whole test suite
#   make check    ruff and mypy
#   make bench    the numbers, against the peers: a table, and benchmarks/results/*.json
#   make clean    everything that the above made
#
#   PYTHON=python3.12 make test                    on another interpreter, in its own environment
#   PYTHONS="python3.11 python3.13" make bench     on several, one after another
#   PYTEST_ARGS="-k ring -x" make test             with arguments for pytest

PYTHON ?= python3
PYTHONS ?= $(PYTHON)
PYTEST_ARGS ?=
BENCH_ARGS ?=
# Processes that run tests side by side.
WORKERS ?= 3

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo environment test check format bench bench-one clean

ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
# A name may be a pyenv shim; what it means is asked once.
python := $(shell .ci/pythons $(PYTHON))
ifeq ($(python),)
$(error no interpreter for PYTHON=$(PYTHON))
endif
version := $(shell $(python) -I -c 'import platform; print(platform.python_version())')
uv := $(shell command -v uv)
endif

venv := .venv-$(version)
ddtrace_venv := .venv-ddtrace-$(version)
# treetap with all that it can do. A name, because a comma would end an argument of `call`.
package := .[daemon,trio,mcp]
# What the environment was made from; a change to either makes it anew.
sources := pyproject.toml Makefile

# $(1): the environment; $(2): what to install into it, as arguments of `pip install`.
ifneq ($(uv),)
make_venv = uv venv --quiet --clear --python "$(python)" "$(1)"
install = uv pip install --quiet --python "$(1)/bin/python" $(2)
else
pip = "$(1)/bin/python" -m pip install --quiet --disable-pip-version-check
# --group needs pip 25.1; what comes with 3.11 to 3.13 is older.
make_venv = "$(python)" -m venv --clear "$(1)" && $(pip) --upgrade "pip>=25.1"
install = $(pip) $(2)
endif

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

$(venv)/.made-for-use: $(sources)
	$(call make_venv,$(venv))
	$(call install,$(venv),-e '$(package)')
	@touch "$@"

$(venv)/.made-for-work: $(venv)/.made-for-use
	$(call install,$(venv),--group dev)
	@touch "$@"

# A peer in an environment of its own. Where it can't be installed, its claims say so.
$(ddtrace_venv)/.made: $(sources)
	$(call make_venv,$(ddtrace_venv))
	-$(call install,$(ddtrace_venv),--group bench)
	@touch "$@"

# Where Python is told to write no bytecode, each process of ours would compile what it imports.
compile = "$(venv)/bin/python" -m compileall -q src

demo: $(venv)/.made-for-use
	@$(compile)
	"$(venv)/bin/treetap" demo

# What `test` and `check` make first.
environment: $(venv)/.made-for-work

test: $(venv)/.made-for-work
	@$(compile) tests
	"$(venv)/bin/python" -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

check: $(venv)/.made-for-work
	"$(venv)/bin/ruff" check .
	"$(venv)/bin/ruff" format --check .
	"$(venv)/bin/mypy"

format: $(venv)/.made-for-work
	"$(venv)/bin/ruff" check --fix-only --quiet .
	"$(venv)/bin/ruff" format .

bench:
	@for python in $(PYTHONS); do $(MAKE) --no-print-directory bench-one PYTHON="$$python"; done

bench-one: $(venv)/.made-for-work $(ddtrace_venv)/.made
	@$(compile)
	"$(venv)/bin/python" -m benchmarks --ddtrace "$(ddtrace_venv)/bin/python" $(BENCH_ARGS)

clean:
	rm -rf .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
