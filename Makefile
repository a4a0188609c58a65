# What one does with this repository. `make` alone lists it. Works with GNU make and /bin/sh.

GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .
PKG      ?= ./...
DURATION ?= 2m
CASES    ?= 300
RUN      ?= bin/chaos
# RACE=required fails where the race detector is not to be had; RACE=off leaves it out.
RACE     ?= auto

GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)
# Debian's packages that the end-to-end tests run against.
E2E_PACKAGES := prometheus nginx haproxy postgresql tmux

.DEFAULT_GOAL := help
.PHONY: help build demo test check fmt fmt-check vet lint tidy-check fuzz bench chaos promrules e2e deps-e2e golden cover clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## Build bin/serin
	$(GO) build -o bin/serin ./cmd/serin

demo: build ## Build, then show three releases on one flag: good, bad and taken back, fixed
	bin/serin demo

test: ## Run all tests that need nothing but Go, with the race detector where a C compiler works
	@race=$$(.ci/race $(RACE)) || exit 1; \
	set -x; $(GO) test $$race -shuffle=on $(PKG)

check: fmt-check vet lint tidy-check test ## Run what CI runs, but for the end-to-end tests

fmt: ## Format the Go code
	gofmt -w .

fmt-check:
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run 'make fmt':"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...

lint: $(GOLANGCI) ## Run golangci-lint, installed by version into bin/
	$(GOLANGCI) run

# The linter is not in go.mod: its hundreds of modules would be those of everyone who imports Serin.
$(GOLANGCI):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@

tidy-check:
	$(GO) mod tidy -diff

fuzz: ## Run every fuzz target for FUZZTIME=30s
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -rn1 dirname | sort -u); do \
		for target in $$($(GO) test -list '^Fuzz' "$$dir" | grep '^Fuzz'); do \
			echo "$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
		done; \
	done

bench: ## Run the benchmarks matching BENCH=. of PKG=./..., and end with a table of the figures
	@set -x; $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 20m $(PKG) | $(GO) run ./internal/bench/table

chaos: ## Kill, freeze and cut off real workers and NATS for DURATION=2m, and audit what is left (SEED=, ROLLOUTS=, RUN=bin/chaos)
	$(GO) run ./internal/chaos/cmd/chaos -run "$(RUN)" -duration $(DURATION) $(if $(SEED),-seed $(SEED)) $(if $(ROLLOUTS),-rollouts $(ROLLOUTS)) $(if $(ONLY),-only $(ONLY))

promrules: ## Hold imported alerts against Prometheus' own rule manager (CASES=300, SEED=)
	cd internal/promrules && $(GO) test -mod=mod . -cases $(CASES) $(if $(SEED),-seed $(SEED))

e2e: build ## Run the end-to-end tests against real servers; 'make deps-e2e' installs them
	@.ci/e2e

deps-e2e: ## Install what the end-to-end tests run against (Debian packages, npm packages), without starting it
	@.ci/deps-e2e $(E2E_PACKAGES)
	@.ci/deps-npm internal/flagclients

golden: ## Rewrite the expected output of all tests that have some
	@for dir in $$(grep -rl --include='*_test.go' 'flag\.Bool("update"' . | xargs -rn1 dirname | sort -u); do \
		(set -x; $(GO) test "$$dir" -update) || exit 1; \
	done

cover: ## Write coverage.html and print the total
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -html=coverage.out -o coverage.html
	@$(GO) tool cover -func=coverage.out | tail -n 1

clean: ## Remove what was built
	rm -rf bin dist coverage.out coverage.html
