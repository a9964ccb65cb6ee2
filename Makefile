# Two commands: `make demo` and `make test`. Each does its own set-up in .venv on a machine with Python 3.11+.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all test-exporters test-finetune lint overhead clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[litellm,local,postgres,dashboard,chat,mcp,plots,bench,dev]'
	$(BIN)/pip check
	touch $@

demo: $(STAMP)
	$(BIN)/tunewright setup-local
	$(BIN)/python examples/demo/demo.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell agent tools prompts tests examples benchmarks docs README.md CONTRIBUTING.md CHANGELOG.md Makefile pyproject.toml

test: lint
	$(BIN)/tunewright setup-local
	$(BIN)/pytest -n 2

test-all: lint
	$(BIN)/tunewright setup-local
	$(BIN)/pytest -n 2 -m 'not gpu or gpu'

# the optimizers that points are written for, real and pinned, in an environment of their own
EXPORTERS := .envs/exporters

$(EXPORTERS)/.installed: pyproject.toml constraints.txt tests/exporters/requirements.txt
	$(PYTHON) -m venv $(EXPORTERS)
	$(EXPORTERS)/bin/pip install -q -c constraints.txt torch
	$(EXPORTERS)/bin/pip install -q -c constraints.txt -e '.[dev,bench]' -r tests/exporters/requirements.txt
	$(EXPORTERS)/bin/pip check
	touch $@

test-exporters: $(EXPORTERS)/.installed
	$(EXPORTERS)/bin/pytest tests/exporters tests/test_export_examples.py

# the trainer finetune with transformers and peft, in an environment of its own
FINETUNE := .envs/finetune

$(FINETUNE)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(FINETUNE)
	$(FINETUNE)/bin/pip install -q -c constraints.txt torch
	$(FINETUNE)/bin/pip install -q -c constraints.txt -e '.[finetune,dev]'
	$(FINETUNE)/bin/pip check
	touch $@

test-finetune: $(FINETUNE)/.installed
	$(FINETUNE)/bin/pytest tests/test_finetune.py

overhead: $(STAMP)
	$(BIN)/python benchmarks/overhead.py

clean:
	rm -rf $(VENV) .envs runs .mypy_cache .ruff_cache .pytest_cache
