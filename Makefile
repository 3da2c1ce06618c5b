SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
SITE ?= lab
venv := .build/venv/bin
python := $(venv)/python
pytest := $(python) -m pytest --quiet
lock := $(venv)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
go_modules := lab tools/vsphere
prepare := @$(PYTHON) -m tools.toolchain setup

# As the toolchain builds, so that both share the compiler's cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
export HYPOTHESIS_STORAGE_DIRECTORY := .build/hypothesis

.PHONY: help setup env python demo lab
help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## prepare Pulumi, its vSphere plugin, the Python packages and the lab, in .build/
	$(prepare)

python:
	$(prepare) --only python

demo: setup ## migrate a whole site of the lab (SITE=lab takes stacks/Pulumi.lab.yaml)
	@$(python) -m tools.demo $(SITE)

lab: setup ## keep a lab running to play with, until Ctrl-C (SITE as above)
	@$(python) -m tools.lab $(SITE)

env: ## print what `pulumi` needs in a shell: eval "$$(make env)"
	@$(PYTHON) -m tools.toolchain env

.PHONY: check fmt lint types imports docs docs-check go-check
check: lint types imports docs-check go-check ## run every static check

fmt: docs ## format Python and Go, write what is made from the code
	@$(venv)/ruff check --quiet --fix-only .
	@$(venv)/ruff format --quiet .
	@gofmt -l -w $(go_modules)

lint: python ## check style and format of Python
	@$(venv)/ruff check --quiet .
	@$(venv)/ruff format --quiet --diff .
	@echo "lint: clean"

types: python ## check types
	@$(venv)/mypy

imports: python ## check the layers
	@$(venv)/lint-imports --no-logo --cache-dir .build/imports

docs: python ## write the pages that are made from the code
	@$(python) -m tools.concerns
	@$(python) -m tools.privileges

docs-check: python ## check that the pages made from the code are as it says
	@$(python) -m tools.concerns --check
	@$(python) -m tools.privileges --check

go-check: ## check format and soundness of Go
	@files=$$(gofmt -l $(go_modules)); [ -z "$$files" ] || { echo "not formatted, run make fmt: $$files"; exit 1; }
	@for module in $(go_modules); do (cd $$module && go vet ./...); done
	@echo "go-check: clean"

.PHONY: test unit property components lab-test engine go-test
test: setup check go-test ## run every check and every test, as CI does
	@$(pytest)

unit: python ## test functions on plain values
	@$(pytest) tests/unit

property: python ## test that no history can lose a machine
	@$(pytest) tests/property

components: python ## test what the program declares
	@$(pytest) tests/components

lab-test: ## test our SOAP against the lab
	$(prepare) --only python --only lab
	@$(pytest) tests/lab

engine: setup ## test `pulumi up` against the lab
	@$(pytest) tests/engine

.PHONY: matrix
matrix: python ## let everything go wrong at every step, and write docs/reliability.md (an hour)
	$(prepare) --only lab
	@$(python) -m tests.matrix

.PHONY: soak
soak: python ## move 200 VMs to and fro under faults for 20 min: nothing may be lost or left; writes docs/soak.md
	$(prepare) --only lab
	@$(python) -m tests.soak

.PHONY: mutants
mutants: python ## plant bugs in what decides, one at a time: the tests must catch each (a quarter of an hour)
	@$(python) -m tests.mutants

go-test: ## test the lab itself
	@cd lab && go test ./...

.PHONY: lock clean
lock: python ## pin what pyproject.toml asks for, with hashes
	@$(lock) --output-file requirements.txt pyproject.toml
	@$(lock) --output-file requirements-dev.txt --constraint requirements.txt --group dev pyproject.toml

clean: ## remove all that was built, cached or kept by the lab's stacks
	@rm -rf .build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
