# What one does with Rollbook's sources. `make` alone lists it.
# Each target installs the Debian packages that it needs and that are missing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test format lint doc unit release e2e bench clean rust

BIN := target/release/rollbook
VAR := var
LISTEN ?= 127.0.0.1:8080
BENCH ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: release ## Start Rollbook with sample data on http://127.0.0.1:8080 (LISTEN=ip:port for another place)
	@mkdir -p $(VAR)
	exec $(BIN) demo --serve --database sqlite:$(VAR)/rollbook.db --listen $(LISTEN)

test: format lint doc unit release e2e ## Run every check and every test, as the CI does

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

e2e: release ## Drive the built binary with a real browser
	@tools/need node nodejs npm
	@tools/need npm npm
	@tools/need chromium chromium
	@tools/need python3 python3
	@tools/need openssl openssl
	@tools/python e2e/.python moto_server 'moto[s3]==5.2.5' flask flask-cors
	cd e2e && npm ci --no-audit --no-fund && npm test

bench: release ## Measure speed, memory and size beside their floors (BENCH="--large" for the long ones)
	-@tools/need wrk wrk # Without it the API is loaded by a client of our own.
	cargo run --release -p rollbook-bench --bin rollbook-bench --locked -- $(BENCH)

clean: ## Remove what was built, and the sample data of `make run`
	rm -rf target $(VAR) e2e/node_modules e2e/.python e2e/artifacts

rust:
	@command -v cargo >/dev/null 2>&1 || { \
		echo "\`cargo\` is missing: install Rust 1.95 or newer from https://rustup.rs and run make again." >&2; exit 1; }
	@tools/need cc gcc libc6-dev
