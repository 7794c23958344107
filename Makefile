# Short commands without logic. Always pass `--workspace` to cargo: another selection of packages unifies features
# differently and builds the dependencies a second time.

TARGET := $(or $(CARGO_TARGET_DIR),target)
DENY := 0.20.2
REDOCLY := 2.77.0
SECRETLINT := 11.2.5
LLVM_COV := 0.9.1

# Tests wait more than they compute.
export RUST_TEST_THREADS ?= 4

.PHONY: help run test test-chaos test-load test-helm test-observability dashboards statement-counts web test-web console-pictures fuzz bench bench-transactions instruction-counts scale coverage lint fmt openapi env-example chart clean reset

help: ## List all commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build, create demo data in ./data once, and serve on http://127.0.0.1:8080
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula seed demo
	exec $(TARGET)/debug/insula serve

test: ## Run all tests on SQLite and on PostgreSQL; starts the servers it needs
	cargo build --workspace
	$(TARGET)/debug/services sh -euc '\
		cargo test --workspace; \
		echo "The same tests on PostgreSQL:"; \
		INSULA_TEST_DATABASE=postgres cargo test --workspace --lib --test api'

test-chaos: ## Kill processes at random under load and count the results: five seeds per database, then the long scenarios
	cargo build --workspace
	$(TARGET)/debug/chaos

fuzz: ## Run schemathesis against the API, as an owner and as a superuser, for INSULA_FUZZ_SECONDS (1500)
	cargo build --workspace
	$(TARGET)/debug/fuzz

test-load: ## Test restarts under load, overload, idle connections and many logins, with a release build
	cargo build --release --workspace
	$(TARGET)/release/load

test-helm: ## Test the Helm chart with the real Helm, and run its containers as processes; ARGS for pytest
	cargo build --workspace
	INSULA_BINARY=$(TARGET)/debug/insula SERVICES=$(TARGET)/debug/services helm/tests/run $(ARGS)

test-observability: ## Check alerts, dashboards and runbooks against a running installation and Prometheus
	cargo build --workspace
	$(TARGET)/debug/observability

dashboards: ## Update the committed Grafana dashboards
	cargo build --workspace --bin observability
	$(TARGET)/debug/observability write

statement-counts: ## Update the committed numbers of database statements of all operations
	cargo build --workspace
	$(TARGET)/debug/services sh -euc '\
		export INSULA_WRITE_STATEMENT_COUNTS=true; \
		cargo test --workspace --test api platform::statement_counts; \
		INSULA_TEST_DATABASE=postgres cargo test --workspace --test api platform::statement_counts'

web: ## Build the web console into web/dist, which is committed; needs Node.js
	web/run build

test-web: ## Test the web console: types, lints, units, sizes, and a browser against the real program
	cargo build --workspace
	INSULA_BINARY=$(abspath $(TARGET))/debug/insula web/run test

console-pictures: ## Take the pictures of the web console in docs/console
	cargo build --workspace
	INSULA_BINARY=$(abspath $(TARGET))/debug/insula web/run pictures

bench: ## Measure requests beside a floor; QUICK=1 for two minutes, UPDATE=1 to write docs/performance.md, RUNS="mails latency telemetry"
	cargo build --release --workspace
	$(TARGET)/release/bench $(if $(QUICK),--quick) $(if $(UPDATE),--update-docs) $(RUNS)

bench-transactions: ## Measure what jobs and audit events cost their transactions, and sealing and verification
	cargo bench --workspace --bench enqueue --bench audit --no-run
	cargo build --release --workspace --bin services
	$(TARGET)/release/services cargo bench --quiet --workspace --bench enqueue
	$(TARGET)/release/services cargo bench --quiet --workspace --bench audit

instruction-counts: ## Update the committed numbers of instructions of hot requests; installs valgrind
	cargo build --workspace
	$(TARGET)/debug/instructions write

scale: ## Check what must not grow with the data, with INSULA_SCALE_ROWS (1000000) time entries and a release build
	cargo build --release --workspace
	$(TARGET)/release/services $(TARGET)/release/scale

coverage: ## Measure which lines the tests reach on SQLite: a summary, and target/coverage/llvm-cov/html
	command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov --version $(LLVM_COV)
	rustup component add llvm-tools
	CARGO_TARGET_DIR=$(abspath $(TARGET))/coverage; export CARGO_TARGET_DIR; \
	eval "$$(cargo llvm-cov show-env --sh)"; \
	cargo llvm-cov clean --workspace && cargo build --workspace && \
	$$CARGO_TARGET_DIR/debug/services cargo test --workspace --lib --test api && \
	cargo llvm-cov report --html && cargo llvm-cov report --summary-only

lint: ## Check format, lints, dependencies, the OpenAPI document and secrets
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny --version $(DENY)
	cargo deny --all-features check bans licenses sources
	if command -v npx >/dev/null; then \
		npx --yes @redocly/cli@$(REDOCLY) lint api/openapi.json --config api/redocly.yaml && \
		npx --yes -p secretlint@$(SECRETLINT) -p @secretlint/secretlint-rule-preset-recommend@$(SECRETLINT) \
			secretlint $$(git ls-files ':!api/assets' ':!web/dist' ':!docs/console'); \
	else echo "npx is not installed: secretlint and the check of the OpenAPI document were skipped"; fi

fmt: ## Format the sources
	cargo fmt --all

openapi: ## Update the committed OpenAPI document
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula openapi > api/openapi.json.new && mv api/openapi.json.new api/openapi.json

env-example: ## Update the committed .env.example
	cargo build --workspace --bin insula
	$(TARGET)/debug/insula config print --env > .env.example.new && mv .env.example.new .env.example

chart: ## Update the generated files of the Helm chart: README.md, values.schema.json, alerts and dashboards
	helm/tests/run generate

clean: ## Delete build output; keeps the data
	cargo clean

reset: ## Delete the data of `make run`: the database, the demo and its keys
	rm -rf data
