# What one does with Rollbook's sources. `make` alone lists it.
# Each target installs the Debian packages that it needs and that are missing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test format lint doc unit release e2e deny fuzz bench clean rust

BIN := target/release/rollbook
# What the journeys drive: what the other tests were built with. `make release e2e E2E_BIN=target/release/rollbook` drives
# the binary that is shipped.
E2E_BIN ?= target/debug/rollbook
VAR := var
LISTEN ?= 127.0.0.1:8080
BENCH ?=
# Seconds for each fuzz target.
FUZZ ?= 15
ifeq ($(CI),true)
# What is kept for the next build is of no use where there is none.
export CARGO_INCREMENTAL := 0
endif

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: release ## Start Rollbook with sample data on http://127.0.0.1:8080 (LISTEN=ip:port for another place)
	@mkdir -p $(VAR)
	exec $(BIN) demo --serve --database sqlite:$(VAR)/rollbook.db --listen $(LISTEN)

test: format lint doc unit e2e deny fuzz ## Run every check and every test, as the CI does

format: rust ## Check the formatting
	cargo fmt --all --check

lint: rust ## Check with clippy; a warning fails
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: rust ## Check the documentation of the code; a warning fails
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

unit: rust ## Run the tests of all crates and the examples in their documentation
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace --locked; \
	else \
		cargo test --workspace --all-targets --locked; \
	fi
	cargo test --workspace --doc --locked

release: rust ## Build the binary that is shipped: target/release/rollbook
	cargo build --release -p rollbook --locked

e2e: rust ## Drive the binary with a real browser, a real mail server and a scanner of its API
	@tools/need node nodejs npm
	@tools/need npm npm
	@tools/need chromium chromium
	@tools/need python3 python3
	@tools/python e2e/.python moto_server 'moto[s3]==5.2.5' flask flask-cors
	@tools/python e2e/.python schemathesis 'schemathesis==4.32.5'
	# With the tests: without them some dependencies have fewer features, and they and the binary would be built once more.
	case "$(E2E_BIN)" in target/debug/*) cargo build --workspace --bins --tests --locked ;; esac
	cd e2e && npm ci --no-audit --no-fund && ROLLBOOK_BIN="$(abspath $(E2E_BIN))" npm test

deny: rust ## Check licences and origins of the dependencies
	@tools/need python3 python3
	@tools/cargo-tool cargo-deny 0.20.2
	target/tools/bin/cargo-deny check licenses bans sources

fuzz: rust ## Let a fuzzer think of input for the readers (FUZZ=seconds for each)
	@tools/need c++ g++
	@tools/need python3 python3
	@tools/cargo-tool cargo-fuzz 0.13.2
	tools/fuzz $(FUZZ) csv json vcard date phone

bench: release ## Measure speed, memory and size beside their floors (BENCH="--large" for the long ones)
	-@tools/need wrk wrk # Without it the API is loaded by a client of our own.
	cargo run --release -p rollbook-bench --bin rollbook-bench --locked -- $(BENCH)

clean: ## Remove what was built, and the sample data of `make run`
	rm -rf target $(VAR) e2e/node_modules e2e/.python e2e/artifacts

rust:
	@command -v cargo >/dev/null 2>&1 || { \
		echo "\`cargo\` is missing: install Rust 1.95 or newer from https://rustup.rs and run make again." >&2; exit 1; }
	@tools/need cc gcc libc6-dev
