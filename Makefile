SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -X main.linkedVersion=$(VERSION) -X main.linkedDate=$(DATE)

GOLANGCI_VERSION := v2.15.0
GOLANGCI         ?= .bin/golangci-lint-$(GOLANGCI_VERSION)

GOVULNCHECK_VERSION := v1.9.0

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

PACKAGES     ?= ./...
# TEST_TIMEOUT is for one package, on a busy machine.
TEST_TIMEOUT ?= 60m
TEST_TAKES   := 10 minutes
# Benthos skips its integration suites unless -run names them, so they have a run of their own, even
# if the first run failed. The ledger has its own target.
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
test: deps ## run all tests with the race detector on a real redis-server; a skipped test is a failure; PACKAGES=./input/... selects some
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
ledger: deps ## kill, pause and scale real processes, fail over masters, and account for every message; DATA=FILE takes the messages from a file; ONLY=Share FLOW=3m WORK=10m RATE=5000 runs the test of share groups for long, and so do ONLY=Poison MESSAGES=100000, ONLY=SinkDown OUTAGE=30m, ONLY=Hang HANG=10m, ONLY=Rejected OUTAGE=1m, ONLY=Kills OUTAGE=30s for messages that fail
	LEDGER_DATA='$(abspath $(DATA))' LEDGER_FLOW='$(FLOW)' LEDGER_WORK='$(WORK)' LEDGER_RATE='$(RATE)' \
	LEDGER_MESSAGES='$(MESSAGES)' LEDGER_OUTAGE='$(OUTAGE)' LEDGER_HANG='$(HANG)' \
		go test -tags ledger -race -count=1 -json -timeout $(TEST_TIMEOUT) -parallel 8 -run '$(LEDGER)$(ONLY)' ./internal/ledger/ \
		| go run ./internal/tools/noskip -v

.PHONY: soak
soak: deps ## check for MINUTES (30) that nothing grows while members join and leave and connections break
	SOAK_MINUTES=$(or $(MINUTES),30) go test -tags ledger -count=1 -timeout 0 -v -run '^TestSoak' ./internal/ledger/

.PHONY: fuzz
fuzz: ## run each fuzz target of PACKAGES for SECONDS (10); failing inputs are kept in testdata/fuzz; FUZZ_FLAGS='-parallel 1' uses one core
	@scripts/fuzz $(or $(SECONDS),10) $(PACKAGES)

.PHONY: sim
sim: ## run N random schedules of members, producers and faults in simulated time, starting at SEED; make test runs a few
	go test -count=1 -timeout 0 -v -run EverySchedule ./internal/simulation/ -sim.n=$(or $(N),1000) -sim.seed=$(or $(SEED),1)

.PHONY: pipelines
pipelines: deps ## run N random pipelines of real components on a real Redis, starting at SEED, J at a time, and account for every message; make test runs a few
	go test -count=1 -timeout 0 -v -run EveryPipeline ./internal/pipelines/ -pipelines.n=$(or $(N),1000) -pipelines.seed=$(or $(SEED),1) -pipelines.j=$(or $(J),8)

.PHONY: mutants
mutants: deps ## break the code on purpose, once for each patch in internal/simulation/mutants, and check that the tests notice within N schedules; MUTANTS=name for one, J at a time
	go run ./internal/tools/mutants -n=$(or $(N),2000) -seed=$(or $(SEED),1) -j=$(or $(J),1) -only='$(MUTANTS)' -table='$(TABLE)'

.PHONY: chaos
chaos: deps ## hit real processes of a consumer group and of a share group with random faults for SECONDS (60), drawn from SEED, on TOPOLOGY single, sentinel or cluster, and account for every message; ONLY='words of fault names'
	CHAOS_SECONDS='$(SECONDS)' CHAOS_SEED='$(SEED)' CHAOS_TOPOLOGY='$(TOPOLOGY)' CHAOS_ONLY='$(ONLY)' \
		go test -tags ledger -race -count=1 -timeout 0 -v -run '^TestChaos' ./internal/ledger/

.PHONY: bench
bench: deps ## compare rafka with redis_streams and with the limits of client and engine; CASE=read,write for some, ROUNDS (5), SCALE (1), JSON=FILE; BASE=COMMIT compares with another commit of rafka only
	go -C bench run . -case='$(CASE)' -rounds=$(or $(ROUNDS),5) -scale=$(or $(SCALE),1) -base='$(BASE)' -json='$(if $(JSON),$(abspath $(JSON)))'

.PHONY: lint
lint: $(GOLANGCI) ## run all linters, including go vet
	$(GOLANGCI) run ./...
	cd bench && $(abspath $(GOLANGCI)) run ./...

.PHONY: vuln
vuln: ## look for known vulnerabilities in the code that rafka calls; needs the network
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format all code
	$(GOLANGCI) fmt

.bin/golangci-lint-$(GOLANGCI_VERSION):
	GOBIN='$(CURDIR)/.bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .bin/golangci-lint $@

.PHONY: dist
dist: ## build the archives of a release, for PLATFORMS, in dist/
	rm -rf dist && mkdir dist
	for platform in $(PLATFORMS); do \
		name=rafka_$(VERSION)_$${platform/\//_}; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} \
			go build -trimpath -ldflags '$(LDFLAGS)' -o dist/$$name/rafka ./cmd/rafka; \
		cp LICENSE README.md CHANGELOG.md dist/$$name; \
		tar -C dist -czf dist/$$name.tar.gz $$name; \
		rm -r dist/$$name; \
	done
	cd dist && sha256sum -- *.tar.gz >SHA256SUMS

.PHONY: clean
clean: ## remove build output
	rm -rf bin .bin dist
