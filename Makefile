# tribune: every job has a name here. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The steps share one target folder and print in order; cargo uses the processors by itself.
.NOTPARALLEL:

# Where Debian keeps nginx and varnishd, for those who are not root.
export PATH := $(PATH):/usr/sbin:/sbin

CARGO ?= cargo
LOCKED := --locked
DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.1
FUZZ_SECONDS ?= 60
TOOLS := $(CURDIR)/.tools

WEB_PACKAGES := web/node_modules/.package-lock.json
WEB_SOURCES = $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' 2>/dev/null) docs/operating.md

.PHONY: help demo build web test setup-build setup-bench setup check-format check-web check-source check-lints \
	check-licences test-web test-doc test-rules test-real advisories bench fuzz docs clean

help: ## Lists the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Builds, then runs a node with a room and two voices, and prints the links
	target/release/tribune demo

build: setup-build web ## Builds the one binary, target/release/tribune, with the pages in it
	$(CARGO) build $(LOCKED) --release -p tribune

web: web/dist/.built ## Builds the pages into web/dist

# Nothing is built twice by it, so that what would make a second build quicker is left out.
test: export CARGO_INCREMENTAL := 0
# What fails soonest comes first; the real clients, which take longest, come last.
test: setup check-format check-web check-source check-lints test-rules test-web test-doc check-licences test-real ## Everything that must hold, the real clients and the browser included

setup-build:
	@tidy/setup.sh build

setup: ## Installs what `make test` needs (as root on Debian; otherwise says what is missing)
	@tidy/setup.sh test

setup-bench:
	@tidy/setup.sh bench

$(WEB_PACKAGES): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

web/dist/.built: $(WEB_PACKAGES) $(WEB_SOURCES)
	cd web && npm run build
	touch $@

check-format:
	$(CARGO) fmt --all --check

check-web: web
	cd web && npm run check

# The rules of the source. The whole workspace is named each time, so that every step finds the same dependencies built.
check-source: web
	$(CARGO) test $(LOCKED) --workspace --test tree

check-lints: web
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings

check-licences: $(TOOLS)/cargo-deny-$(DENY_VERSION)
	$(TOOLS)/bin/cargo-deny --workspace --locked check licenses bans sources

# Unoptimised: it is built for one short run.
$(TOOLS)/cargo-deny-$(DENY_VERSION):
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install cargo-deny --debug --locked --version $(DENY_VERSION) --root $(TOOLS)
	touch $@

# Unit tests and simulated evenings.
test-rules: web
	$(CARGO) test $(LOCKED) --workspace --lib --bins

# A browser on the node itself: what the pages are for. The node is built as the real clients will find it, and while the browser
# waits for sound and seats the tool of the next step is built behind it (by its plain name: `make -n` runs lines with $(MAKE)).
test-web: web
	$(CARGO) test $(LOCKED) --workspace --test '*' --no-run
	nice -n 19 make --silent $(TOOLS)/cargo-deny-$(DENY_VERSION) > /dev/null & \
	cd web && TRIBUNE_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug/tribune" npm test && wait

test-doc: web
	$(CARGO) test $(LOCKED) --workspace --doc

# Three at a time: each drives a node and a player or an encoder in real time.
test-real: web
	$(CARGO) test $(LOCKED) --workspace --test '*' -- --test-threads=3

advisories: $(TOOLS)/cargo-deny-$(DENY_VERSION) ## Looks for known holes in the dependencies (fetches the public database)
	$(TOOLS)/bin/cargo-deny --workspace --locked check advisories

bench: setup-bench web .venv/.made ## Measures sound, delay and cost, and prints one table; LONG=1 listens ten minutes for drift
	$(CARGO) build $(LOCKED) --release -p tribune -p tribune-bench
	bench/run.sh $(if $(LONG),long,short)

.venv/.made: bench/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	touch $@

# What is found to be new goes to fuzz/target; the committed corpus is only read. The coverage that the fuzzer needs are flags
# of stable Rust; only sanitizers are not.
fuzz: web $(TOOLS)/cargo-fuzz-$(FUZZ_VERSION) ## Feeds every parser nonsense, FUZZ_SECONDS (60) each
	cd fuzz && run() { \
		mkdir -p "target/corpus/$$1"; \
		$(TOOLS)/bin/cargo-fuzz run --sanitizer none "$${@:2}" "$$1" "target/corpus/$$1" "corpus/$$1" -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10; \
	}; \
	for core in $$(grep -L '^mod node;' fuzz_targets/*.rs); do run "$$(basename "$$core" .rs)"; done; \
	for node in $$(grep -l '^mod node;' fuzz_targets/*.rs); do run "$$(basename "$$node" .rs)" --features node; done

$(TOOLS)/cargo-fuzz-$(FUZZ_VERSION):
	$(CARGO) install cargo-fuzz --locked --version $(FUZZ_VERSION) --root $(TOOLS)
	touch $@

docs: web ## Writes the generated pages anew: docs/refusals.md, tribune.example.toml
	TRIBUNE_WRITE=1 $(CARGO) test $(LOCKED) --workspace --test tree refusals
	TRIBUNE_WRITE_EXAMPLE=1 $(CARGO) test $(LOCKED) --workspace --lib the_example_is_the_default

clean: ## Removes what was built
	$(CARGO) clean
	rm -rf web/dist web/node_modules
