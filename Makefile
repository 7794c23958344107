# Verbs, no logic. The suite wants `--workspace` everywhere: another selection of packages unifies features
# differently and builds the dependencies a second time.

TARGET := $(or $(CARGO_TARGET_DIR),target)
DENY := 0.20.2
REDOCLY := 2.77.0
SECRETLINT := 11.2.5
LLVM_COV := 0.9.1

# Tests wait more than they compute.
export RUST_TEST_THREADS ?= 4

.PHONY: help run test test-crash test-edge fuzz bench scale coverage lint fmt openapi env-example clean reset

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build, fill ./data with the demo once, and serve on http://127.0.0.1:8080
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula seed demo
	exec $(TARGET)/debug/insula serve

test: ## Everything, on SQLite and on PostgreSQL; starts the servers it needs itself
	cargo build --workspace
	$(TARGET)/debug/services sh -euc '\
		cargo test --workspace; \
		echo "The same on PostgreSQL:"; \
		INSULA_TEST_DATABASE=postgres cargo test --workspace --lib --test api'

test-crash: ## Kill everything at random, under load, and count what is left: five seeds a database, then the long trials
	cargo build --workspace
	$(TARGET)/debug/crash

fuzz: ## Schemathesis over the running API, as an owner and as an operator, for INSULA_FUZZ_SECONDS (1500)
	cargo build --workspace
	$(TARGET)/debug/fuzz

test-edge: ## What the edge has to bear: restarts under load, overload, idle connections, a flood of log-ins; a release build
	cargo build --release --workspace
	$(TARGET)/release/edge

bench: ## Measure mails a second, how soon a job is begun, what it costs and what audit events cost: docs/performance.md
	cargo build --release --workspace
	cargo bench --workspace --bench enqueue --bench audit --no-run
	$(TARGET)/release/bench
	$(TARGET)/release/services cargo bench --quiet --workspace --bench enqueue
	$(TARGET)/release/services cargo bench --quiet --workspace --bench audit

scale: ## What must not grow with the data, with INSULA_SCALE_ROWS (1000000) time entries; a release build
	cargo build --release --workspace
	$(TARGET)/release/services $(TARGET)/release/scale

coverage: ## Which lines the suite reaches, on SQLite: a summary, and target/coverage/llvm-cov/html
	command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov --version $(LLVM_COV)
	rustup component add llvm-tools
	CARGO_TARGET_DIR=$(abspath $(TARGET))/coverage; export CARGO_TARGET_DIR; \
	eval "$$(cargo llvm-cov show-env --sh)"; \
	cargo llvm-cov clean --workspace && cargo build --workspace && \
	$$CARGO_TARGET_DIR/debug/services cargo test --workspace --lib --test api && \
	cargo llvm-cov report --html && cargo llvm-cov report --summary-only

lint: ## What a reviewer should not have to say
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny --version $(DENY)
	cargo deny --all-features check bans licenses sources
	if command -v npx >/dev/null; then \
		npx --yes @redocly/cli@$(REDOCLY) lint api/openapi.json --config api/redocly.yaml && \
		npx --yes -p secretlint@$(SECRETLINT) -p @secretlint/secretlint-rule-preset-recommend@$(SECRETLINT) \
			secretlint $$(git ls-files ':!api/assets'); \
	else echo "npx is not here: nobody looked for secrets, and only our own tests at the document"; fi

fmt: ## Format the sources
	cargo fmt --all

openapi: ## Write the committed OpenAPI document anew
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula openapi > api/openapi.json.new && mv api/openapi.json.new api/openapi.json

env-example: ## Write the committed .env.example anew
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula config print --env > .env.example.new && mv .env.example.new .env.example

clean: ## Remove what was built; the data stays
	cargo clean

reset: ## Remove the data of `make run`: the database, the demo and its keys
	rm -rf data
