# make demo    the main job on real data, in a fresh environment
# make test    everything the tests need, and the tests
# make lint    ruff, mypy, import-linter
# make bench   the measurements that the documentation quotes
# make lock    resolve the dependencies again
# make clean   remove what make made

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Targets say what they need; a stamp in the environment says what it has. Two lock files: `make demo` installs a third
# of what the tests need (requirements-demo.lock is a subset of requirements.lock).
DEMO := $(VENV)/.installed-demo
DEV  := $(VENV)/.installed-dev

ifeq ($(shell id -u),0)
ROOT :=
else
ROOT := sudo -n
endif

.PHONY: demo test lint bench lock clean
.DELETE_ON_ERROR:

demo: $(DEMO)
	$(BIN)/workbench demo $(ARGS)

test: $(DEV) browser
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(DEV)
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call apt,python3-venv); }
	$(PYTHON) -m venv $(VENV)

$(DEMO): $(BIN)/python requirements-demo.lock pyproject.toml
	$(PIP) install --quiet --require-hashes -r requirements-demo.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(BIN)/python requirements.lock pyproject.toml
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# The tests of the notebook drive a real browser; without one they are skipped and say so.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { $(call apt,chromium); } \
	  || echo "no Chromium and no way to install it: the browser tests will be skipped"

apt = $(ROOT) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(ROOT) apt-get install -y -qq --no-install-recommends $(1) >/dev/null

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate --quiet --group build

lock: $(BIN)/python
	$(PIP) install --quiet uv
	$(COMPILE) --extra lab --extra demo --extra dev -o requirements.lock
	$(COMPILE) --extra demo --constraints requirements.lock -o requirements-demo.lock

clean:
	rm -rf $(VENV) build dist demo-project .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
