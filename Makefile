# Everything sets itself up: `make demo` and `make test` work on a fresh machine with Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# One thread each: two threads on a busy host can be far slower than one.
export OMP_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1

.PHONY: demo scores test test-all test-lowest lint docs bench pictures clean help

# Every warning is an error; pages are read anew, since an unchanged page would not warn again.
SPHINX := $(BIN)/python -m sphinx -b html -E -n -q -W --keep-going docs build/docs

help:
	@echo "make demo      the main experiment, small: collect, train all methods, compare (15 minutes)"
	@echo "make scores    play every environment with every policy beside the known scores"
	@echo "make test      the tests (minutes)"
	@echo "make test-all  also the long statistical and third-party tests"
	@echo "make test-lowest  facades and data with the oldest versions that pyproject.toml allows"
	@echo "make lint      ruff, mypy, and the documentation without a warning"
	@echo "make docs      the documentation as a site, in build/docs"
	@echo "make bench     steps per second, here and against other packages"
	@echo "make pictures  the animations of the README, and pictures of the families"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per extra: pip runs again only when a requirement changes.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (once; a minute or two) ..."
	$(INSTALL) -e '.[$*]'
	@touch $@

# Goes on where it was stopped.
demo: $(VENV)/.installed-demo
	$(BIN)/python -m benchmarks.run --preset demo
	$(BIN)/python -m benchmarks.report --out runs/benchmark-demo

scores: $(VENV)/.installed-render
	$(BIN)/python -m wirelessenvs.scores

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q

test-all: $(VENV)/.installed-interop
	$(BIN)/python -m pytest -q -m ''

# The oldest versions of all that pyproject.toml asks for, in two steps: Minari needs NumPy 2, which
# the rest does not. Without the index of PyTorch for CPUs, gigabytes of CUDA libraries come along:
# `make test-lowest TORCH=`.
LOWEST ?= build/lowest
TORCH ?= --torch-backend cpu
LOWEST_INSTALL = $(LOWEST)/bin/uv pip install --quiet --resolution lowest-direct $(TORCH) \
	--python $(LOWEST)/bin/python
LOWEST_TEST = NUMBA_CACHE_DIR=$(LOWEST)/numba $(LOWEST)/bin/python -m pytest -q -p no:cacheprovider
DATA_TESTS := $(addprefix tests/networld_agent/test_,collecting.py collecting_pettingzoo.py \
	data_commands.py dataset_faults.py dataset_reading.py)

test-lowest:
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST_INSTALL) -e '.[agent,render,testing]'
	$(LOWEST_TEST) tests/test_facades.py tests/test_conformance.py tests/test_conventions.py $(DATA_TESTS)
	$(LOWEST_INSTALL) -e '.[agent,minari,mpe2,render,testing]'
	$(LOWEST_TEST) $(DATA_TESTS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(SPHINX)

docs: $(VENV)/.installed-docs
	$(SPHINX)
	@echo "open build/docs/index.html"

bench: $(VENV)/.installed-peers
	$(BIN)/python -m wirelessenvs.bench
	$(BIN)/python benchmarks/speed/environments.py

pictures: $(VENV)/.installed-render
	$(BIN)/python -m wirelessenvs.play cbf-v0 --policy fp --steps 12 --fps 2 --gif docs/images/cbf.gif
	$(BIN)/python -m wirelessenvs.play rb-v0 --policy expert --steps 30 --gif docs/images/rb.gif
	$(BIN)/python -m wirelessenvs.play slicing-v0 --policy expert --steps 12 --fps 2 --gif docs/images/slicing.gif
	for family in rb cbf slicing; do $(BIN)/python -m wirelessenvs.families $$family --png docs/images/family-$$family.png; done

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
