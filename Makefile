# Two commands for everybody: `make run` and `make test`. The rest is for maintainers; `make help` lists it.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
PREFIX ?= /usr/local
OPT ?= /opt/sentinel-tui
ARGS ?=
CLANG ?= clang
MACHINES ?= x86_64
BPF_OUT ?= bpf
BIN := $(VENV)/bin
AS_ROOT := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Installs the named Debian packages that are missing, when this machine has apt and we may use it.
define apt
	missing=()
	for package in $(1); do dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing+=($$package); done
	if (( $${#missing[@]} )) && command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || [ -n "$(AS_ROOT)" ]; }; then
	  echo "installing $${missing[*]}"
	  install_them() { $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; }
	  install_them 2>/dev/null || { $(AS_ROOT) apt-get update -qq; install_them; } || echo "could not install $${missing[*]}; going on without" >&2
	fi
endef

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/installed ## Install what is missing and start the console on this host's kernel (ARGS="watch --duration 10" for another command)
	@$(call apt,python3-bpfcc)
	$(AS_ROOT) $(BIN)/sentinel-tui $(ARGS)

demo: $(VENV)/installed ## The console over a recorded attack; no root
	@$(BIN)/sentinel-tui demo $(ARGS)

test: $(VENV)/installed-dev ## Install what the tests need and run them all, those on the real kernel included
	@$(call apt,python3-bpfcc libbpf1 clang llvm tmux screen gcc libc6-dev rustc cargo libstd-rust-dev-wasm32 lld)
	$(AS_ROOT) $(if $(AS_ROOT),env CI=$(CI)) $(BIN)/python -m pytest -p no:cacheprovider $(ARGS)

test-long: $(VENV)/installed-dev ## What takes minutes: ten thousand damaged rule modules
	@$(BIN)/python -m pytest -p no:cacheprovider -m slow $(ARGS)

fuzz: $(VENV)/installed-dev ## Random keys and resizes on a busy host for ten minutes (SENTINEL_SEED: the same again)
	@$(BIN)/python -m pytest -p no:cacheprovider -m fuzz $(ARGS)

check: $(VENV)/installed-dev ## Style, types and the import contract
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=engine:. $(BIN)/lint-imports --no-cache

bench: $(VENV)/installed-dev ## The figures, as ratios measured in one run; ARGS="storm peers" for some of rules, reload, hunt, start, storm, syscalls, peers, export
	@$(call apt,python3-bpfcc libbpf1 gcc libc6-dev)
	$(call apt,bpftrace bpfcc-tools libbpf-tools)
	$(AS_ROOT) $(BIN)/python -m tests.bench $(ARGS)

schema: $(VENV)/installed-dev ## Generate bpf/events.h, the SDK's record.rs and record.h, and the export schema
	@$(BIN)/python -m sentinel_engine.schema_gen

bpf: ## Compile the eBPF program ahead for $(MACHINES), so that a host needs no BCC
	@$(call apt,clang llvm)
	mkdir -p $(BPF_OUT)
	for machine in $(MACHINES); do
	  object=$(BPF_OUT)/sentinel.$$machine.bpf.o
	  $(CLANG) -target bpf -mcpu=v2 -O2 -g -DCORE -DARCH_$$machine -Wall -Werror -fdebug-compilation-dir=. -c bpf/sentinel.bpf.c -o $$object
	  llvm-strip -g $$object # DWARF goes, BTF stays
	  llvm-objcopy -R .rel.BTF -R .rel.BTF.ext -R .llvm_addrsig $$object # for linkers, which nothing of this sees
	done
	$(CLANG) --version | head -n 1 >$(BPF_OUT)/TOOLCHAIN

rules: $(VENV)/installed-dev ## Rebuild the built-in rules' modules from their Rust source
	@$(BIN)/python -m sentinel_engine.rules.build

lock: $(VENV)/installed-dev ## Renew the locked dependencies
	@$(PIP) install uv
	options=(--universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade)
	$(BIN)/uv pip compile "$${options[@]}" -q pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile "$${options[@]}" -q pyproject.toml --group build --group dev -o requirements-dev.lock

install: ## Put sentinel-tui where sudo finds it (a copy in $(OPT), a link in $(PREFIX)/bin)
	@$(call apt,python3-bpfcc)
	$(AS_ROOT) $(MAKE) --no-print-directory install-copy

install-copy: $(OPT)/bin/python
	@$(OPT)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements.lock
	$(OPT)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --force-reinstall .
	install -d $(PREFIX)/bin
	ln -sf $(OPT)/bin/sentinel-tui $(PREFIX)/bin/sentinel-tui
	echo "installed: sudo sentinel-tui"

uninstall: ## Take it away again; sessions stay
	@$(AS_ROOT) rm -rf $(OPT) $(PREFIX)/bin/sentinel-tui

# Debian and Ubuntu ship venv apart from python3, and Ubuntu 22.04's python3 is too old.
%/bin/python:
	@new_enough() { command -v "$$1" >/dev/null && "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }
	find_python() { for p in python3 python3.13 python3.12 python3.11; do if new_enough $$p; then echo $$p; return; fi; done; }
	python=$$(find_python)
	if [ -z "$$python" ]; then $(call apt,python3.11 python3.11-venv); python=$$(find_python); fi
	if [ -z "$$python" ]; then echo "sentinel-tui needs Python 3.11 or newer" >&2; exit 3; fi
	if ! $$python -c 'import ensurepip' 2>/dev/null; then $(call apt,python3-venv); fi
	$$python -m venv $*

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing the Python packages (once)"
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

.PHONY: help run demo test test-long fuzz check bench schema bpf rules lock install install-copy uninstall
