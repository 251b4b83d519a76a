SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -X main.linkedVersion=$(VERSION) -X main.linkedDate=$(DATE)

GOLANGCI_VERSION := v2.15.0
GOLANGCI         ?= .bin/golangci-lint-$(GOLANGCI_VERSION)

PACKAGES     ?= ./...
# TEST_TIMEOUT is for one package, on a machine that is busy with other work.
TEST_TIMEOUT ?= 60m
TEST_TAKES   := 10 minutes
# The acceptance suites of Benthos skip themselves unless -run names them, so they have a run of their own, whatever became of the other. The
# ledger has its own target.
INTEGRATION := ^TestIntegration
LEDGER      := ^TestLedger

.PHONY: help
help: ## show this help
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

.PHONY: build
build: ## build the binary bin/rafka
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/rafka ./cmd/rafka

.PHONY: deps
deps: ## install what the tests need (redis-server, a C compiler) if it is missing
	@scripts/deps

.PHONY: test
test: deps ## run all tests with the race detector on a real redis-server; a skipped test is a failure; PACKAGES=./input/... for some
	@[[ '$(PACKAGES)' != ./... ]] || \
		echo 'All tests take about $(TEST_TAKES) on two idle cores, and a few more while Go builds them for the first time.'
	@{ \
		go test -race -json -timeout $(TEST_TIMEOUT) -skip '$(INTEGRATION)|$(LEDGER)' $(PACKAGES) || failed=1; \
		suites=$$(go list -f '{{.Dir}}' $(PACKAGES) | while read -r dir; do \
			if grep -qsE '^func TestIntegration' "$$dir"/*_test.go; then echo "$$dir"; fi; \
		done) || failed=1; \
		[[ -z $$suites ]] || go test -race -json -timeout $(TEST_TIMEOUT) -run '$(INTEGRATION)' $$suites || failed=1; \
		exit $${failed:-0}; \
	} | go run ./internal/tools/noskip

.PHONY: ledger
ledger: deps ## kill, pause and scale real processes, fail masters over, and account for every message; DATA=FILE takes the messages from a file
	LEDGER_DATA='$(abspath $(DATA))' go test -tags ledger -race -count=1 -json -timeout $(TEST_TIMEOUT) -run '$(LEDGER)' ./internal/ledger/ \
		| go run ./internal/tools/noskip -v

.PHONY: soak
soak: deps ## watch processes for MINUTES (30) while others come and go and connections break: nothing may grow
	SOAK_MINUTES=$(or $(MINUTES),30) go test -tags ledger -count=1 -timeout 0 -v -run '^TestSoak' ./internal/ledger/

.PHONY: fuzz
fuzz: ## run each fuzz target for SECONDS (10), of PACKAGES; what is found stays in testdata/fuzz; FUZZ_FLAGS='-parallel 1' leaves room for others
	@scripts/fuzz $(or $(SECONDS),10) $(PACKAGES)

.PHONY: sim
sim: ## play N random schedules of members, producers and misfortune under simulated time, from SEED on; make test plays a few
	go test -count=1 -timeout 0 -v -run EverySchedule ./internal/simulation/ -sim.n=$(or $(N),1000) -sim.seed=$(or $(SEED),1)

.PHONY: pipelines
pipelines: deps ## play N random pipelines of real components on a real Redis, from SEED on, J at once, and account for every message; make test plays a few
	go test -count=1 -timeout 0 -v -run EveryPipeline ./internal/pipelines/ -pipelines.n=$(or $(N),1000) -pipelines.seed=$(or $(SEED),1) -pipelines.j=$(or $(J),8)

.PHONY: mutants
mutants: deps ## break the code on purpose, once for each patch in internal/simulation/mutants, and see it found within N schedules; MUTANTS=name for one, J at once
	go run ./internal/tools/mutants -n=$(or $(N),2000) -seed=$(or $(SEED),1) -j=$(or $(J),1) -only='$(MUTANTS)' -table='$(TABLE)'

.PHONY: chaos
chaos: deps ## run real processes through SECONDS (60) of random misfortune drawn from SEED, on TOPOLOGY single, sentinel or cluster, and judge; ONLY='words of strikes'
	CHAOS_SECONDS='$(SECONDS)' CHAOS_SEED='$(SEED)' CHAOS_TOPOLOGY='$(TOPOLOGY)' CHAOS_ONLY='$(ONLY)' \
		go test -tags ledger -race -count=1 -timeout 0 -v -run '^TestChaos' ./internal/ledger/

.PHONY: bench
bench: deps ## compare rafka with redis_streams and with the limits of client and engine; CASE=read,write for some, ROUNDS (5), SCALE (1), JSON=FILE; BASE=COMMIT compares with another commit of rafka alone
	go -C bench run . -case='$(CASE)' -rounds=$(or $(ROUNDS),5) -scale=$(or $(SCALE),1) -base='$(BASE)' -json='$(if $(JSON),$(abspath $(JSON)))'

.PHONY: lint
lint: $(GOLANGCI) ## run all linters, go vet among them
	$(GOLANGCI) run ./...
	cd bench && $(abspath $(GOLANGCI)) run ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format all code
	$(GOLANGCI) fmt

.bin/golangci-lint-$(GOLANGCI_VERSION):
	GOBIN='$(CURDIR)/.bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .bin/golangci-lint $@

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .bin
