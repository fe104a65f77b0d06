# What can be done with this repository; `make` alone lists it.

# Lambda functions, the CLI and the local enclave are built for this machine, unoptimised, into one directory.
export CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
export PYTHON := $(or $(PYTHON),$(shell python3.11 -c 'import sys; print(sys.executable)' 2>/dev/null || echo python3))

CARGO_DENY := 0.20.2
RUFF := 0.17.6
deny := $(CARGO_TARGET_DIR)/tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny
ruff := $(CARGO_TARGET_DIR)/tools/ruff-$(RUFF)/bin/ruff

# With --examples, cargo resolves features as it does for tests, so that tests reuse what the demo was built from:
# the AWS SDK alone takes minutes. Built together and started by file, so that nothing is built a second time.
build := cargo build --workspace --bins --examples --locked

.DEFAULT_GOAL := help
.PHONY: help build demo test lint fmt soak bench scale generated ledger-fixtures

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

build: ## build the functions, the CLI and the local enclave
	$(build)

demo: build ## bring a local enclave up and watch signed requests become hosts and a load balancer
	$(CARGO_TARGET_DIR)/debug/demo

test: ## run every test; the last line is "N passed, N failed"
	@$(PYTHON) tests/run-tests

lint: $(deny) $(ruff) ## check formatting, lints, licences and what may be linked
	cargo fmt --all --check
	$(ruff) format --check $(ruff_options) $(python_files)
	$(ruff) check --select E,F,W,B,UP --target-version py311 $(ruff_options) $(python_files)
	$(deny) --locked check --hide-inclusion-graph bans licenses sources
	@if $(deny) fetch db 2>/dev/null; then echo $(deny) --locked check advisories; $(deny) --locked check advisories; \
	else echo 'SKIPPED: security advisories, because their database cannot be fetched from here'; fi
	@if command -v terraform >/dev/null; then terraform fmt -recursive -check -diff terraform; \
	else echo 'SKIPPED: the format of terraform/, because Terraform is not installed here'; fi
	$(PYTHON) tests/terraform/run --checkov
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt: $(ruff) ## format Rust and Python
	cargo fmt --all
	$(ruff) format $(ruff_options) $(python_files)
	@if command -v terraform >/dev/null; then terraform fmt -recursive terraform; fi

soak: build ## play random schedules of requests and faults: N=500 SEED=7
	$(CARGO_TARGET_DIR)/debug/soak --schedules $(or $(N),500) --seed $(or $(SEED),1)

bench: build ## compare the provision function's start and memory with an empty function's (release build)
	cargo build --release --locked --package provision --package empty-function --bins
	$(CARGO_TARGET_DIR)/debug/bench

scale: build ## measure calls, CPU time and memory at scale (release build): HOSTS=1000 REQUESTS=1000
	cargo build --release --locked --package provision --bins
	$(CARGO_TARGET_DIR)/debug/scale --hosts $(or $(HOSTS),1000) --requests $(or $(REQUESTS),1000)

generated: build ## write docs/schema and docs/errors.md anew from the code
	$(CARGO_TARGET_DIR)/debug/examples/schema
	$(CARGO_TARGET_DIR)/debug/examples/errors

ledger-fixtures: build ## keep the ledger as this version leaves it half way: NAME=ledger-v2
	NAME=$(NAME) cargo test --workspace --locked --test ledger_versions keep_what -- --ignored

ruff_options := --isolated --no-cache --line-length 120
python_files := tests/emulator tests/run-tests tests/tests tests/terraform tests/terraform/run

$(deny):
	env -u CARGO_TARGET_DIR cargo install --locked --root $(@D:/bin=) cargo-deny@$(CARGO_DENY)

$(ruff):
	$(PYTHON) -m venv $(@D:/bin=)
	$(@D)/python -m pip install --quiet --disable-pip-version-check ruff==$(RUFF)
