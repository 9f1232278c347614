# `make` or `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help demo setup cluster-tools test check format generate bench clean

BIN := node_modules/.bin
INSTALLED := node_modules/.package-lock.json

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Start a real Django under uWSGI with the gateway in front; Ctrl-C stops both
	@sh test/setup/install.sh demo
	@exec $(BIN)/node test/demo/run.ts

setup: $(INSTALLED) ## Install what the tests need: npm packages, Debian's uWSGI, Django, NGINX, Apache, wrk; and cluster-tools
	@sh test/setup/install.sh tests
	@$(BIN)/node test/cluster/tools/build.ts api --optional

cluster-tools: $(INSTALLED) ## Build kube-apiserver, etcd, kubectl, helm into a cache folder, once (needs Go; some minutes)
	@$(BIN)/node test/cluster/tools/build.ts api

test: setup ## Run the whole test suite; the last line is `N passed, N failed`
	@$(BIN)/node test/setup/run-tests.ts

check: $(INSTALLED) ## Types, lint, format and the import rules
	$(BIN)/tsc --noEmit -p .
	$(BIN)/biome ci --error-on-warnings
	$(BIN)/bun test test/structure

format: $(INSTALLED) ## Format the sources, and fix what the linter can fix by itself
	$(BIN)/biome check --write

generate: $(INSTALLED) ## Write what is made from others: the chart's CustomResourceDefinition, deploy/uwsgi-gateway.yaml (needs helm)
	@$(BIN)/node cmd/generate.ts
	@$(BIN)/node test/chart/render.ts

bench: setup ## Measure beside NGINX, uWSGI's own router and Apache (some minutes, an otherwise idle machine)
	@exec $(BIN)/node test/bench/run.ts

bench-control: setup cluster-tools ## Measure how soon a change in a cluster is served, on a real API server (some minutes)
	@exec $(BIN)/bun test/bench/control.ts

clean: ## Remove what the targets above left: caches and results, not node_modules
	rm -rf .cache bench

# npm writes this file last. Its registry and cache come from the user's own npm settings.
$(INSTALLED): package-lock.json
	npm ci
	@touch $@
