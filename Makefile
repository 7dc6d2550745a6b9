.DEFAULT_GOAL := help
.PHONY: help run test test-full soak bench web release tools fmt openapi docs

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Build Makima and start it with the demonstration, on data in ./.makima
	@scripts/run

test: ## Formatting, clippy, and all tests that fit 45 minutes on two cores
	@scripts/test

test-full: ## The same with the long tests
	@scripts/test --full

soak: web ## Fifty agents for ten minutes while everything around them is killed, then look whether all agrees
	cargo nextest --config-file scripts/nextest.toml run --package makima --test end_to_end \
		--run-ignored only --no-capture soak::fifty_agents

web: ## Build the web UI, which the program holds, into web/dist
	@scripts/web

bench: release ## Measure against the baselines
	scripts/with-postgres cargo run --release --package makima-bench

release: web ## Build the optimised program: target/release/makima
	cargo build --release --locked --package makima --bin makima

tools: ## Fetch what the tests need besides Rust into ./.tools
	@scripts/tools

fmt: web ## Format the code
	cargo fmt --all
	cd web && node_modules/.bin/biome check --write .

openapi: web ## Accept the API's description as it is now
	INSTA_UPDATE=always cargo test --package makima-server --test platform examples
	INSTA_UPDATE=always cargo test --package makima-server --test openapi
	node web/scripts/schema.mjs

docs: web ## Write the reference of commands and configuration, and the tables of what is proven, anew
	cargo run --quiet --package makima --bin makima -- reference docs
	cargo run --quiet --package makima-testkit --example reliability
