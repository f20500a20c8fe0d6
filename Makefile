# `make help` lists the targets. LIBTORCH=folder takes a libtorch of your own.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
override LIBTORCH := $(abspath $(LIBTORCH))
export CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)
# Two packages at a time: the small networks of most tests leave a core free. Never cached: Go does not see that the shim changed.
GO_TEST := go test -count=1 -p 2 -timeout 40m

.PHONY: all help tools shim gotorch run test test-cpus race asan page-test tensorboard-test bench results results-quick parity dist clean

all: shim ## find or fetch libtorch, build the C++ shim and bin/
	@go build -o bin/ ./cmd/...

run: all ## the pipeline with run.toml, e.g. make run ARGS="-set seed=2"
	go run ./cmd/pipeline -c run.toml $(ARGS)

test: all gotorch ## all tests
	go vet ./...
	$(GO_TEST) ./...

test-cpus: all gotorch ## the tests that compute, under each setting of the CPU's instructions
	@.ci/cpus

race: all gotorch ## the tests without their long runs, under the race detector
	$(GO_TEST) -short -race ./...

# Go's own heap hides the owners of C++ memory, so that every block would count as leaked; tests count live tensors instead.
asan: shim ## the tests of torch/ over a shim built with the address and undefined-behaviour sanitizers
	@cmake -S . -B build/asan -DESPALIER_SANITIZE=address,undefined,float-cast-overflow -DLIBTORCH="$$(dirname "$$(readlink build/libtorch)")" >/dev/null
	@cmake --build build/asan -j
	$(GO_TEST) -exec "env LD_PRELOAD=$$(g++ -print-file-name=libasan.so) LD_LIBRARY_PATH=$(CURDIR)/build/asan/lib \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1" ./torch ./torch/nn ./torch/optim ./torch/checkpoint

page-test: all ## the report and the server's page in headless Chromium, event files in the real TensorBoard; says what it skips where these are missing
	@bench/page/check.sh $(ARGS)
	@bench/page/event_files.sh

bench: all ## the benchmarks
	go run ./cmd/bench $(ARGS)

# A base is what makes a file an experiment's. Each goes on where it was stopped; one that fails does not keep the others from running.
EXPERIMENTS = $(shell grep -l '^base' experiments/*.toml)

results: all ## all experiments, into docs/results.md; hours, but each goes on where it was stopped
	@failed=; for file in $(EXPERIMENTS); do bin/pipeline -c $$file -write docs/results.md $(ARGS) || failed="$$failed $$file"; done; \
	[ -z "$$failed" ] || { echo "make: a run failed or a conclusion does not hold:$$failed" >&2; exit 1; }

results-quick: all ## the conclusions that a teacher of a minute can show
	@failed=; for file in $$(grep -l '^  "quick: ' $(EXPERIMENTS)); do bin/pipeline -c $$file -quick $(ARGS) || failed="$$failed $$file"; done; \
	[ -z "$$failed" ] || { echo "make: a run failed or a conclusion does not hold:$$failed" >&2; exit 1; }

.PHONY: peers
# One at a time: the table has seconds.
peers: all ## Espalier beside plain PyTorch, the authors' recipe and Torch-Pruning, into docs/results.md; hours (fetches PyTorch once; ARGS=-quick: a minute's teacher)
	@bin/pipeline -c bench/peers.toml -lanes 1 $(if $(findstring -quick,$(ARGS)),,-write docs/results.md) $(ARGS)

parity: all ## random networks of every family made by transformers, both ways, and pictures (fetches PyTorch and transformers once)
	@rm -rf build/parity && mkdir -p build/parity
	@python=$$(bench/parity/setup.sh | tail -n 1) && $$python bench/parity/cases.py build/parity/cases && $$python bench/parity/images.py build/parity/pictures && \
	$$python bench/parity/asked.py build/parity/asked && $(GO_TEST) ./cmd/model -run EqualTransformers -args -asked=$(CURDIR)/build/parity/asked && \
	for family in build/parity/asked/*; do PYTHON=$$python examples/torchscript/check.sh $$family $$family/questions.jsonl || exit 1; done && \
	$(GO_TEST) ./model -run EqualTransformers -args -cases=$(CURDIR)/build/parity/cases -pictures=$(CURDIR)/build/parity/pictures -back=$(CURDIR)/build/parity/back && \
	$$python bench/parity/back.py build/parity/back/* && $$python bench/parity/dtypes.py build/parity/dtypes && \
	$$python bench/parity/students.py build/parity/students

tensorboard-test: all ## the real TensorBoard reads what a run writes (fetches it once)
	@bench/page/event_files.sh

dist: all ## dist/espalier: bin/ and lib/, a folder that can be moved
	@cmake/dist.sh dist/espalier

clean: ## remove what was built; a fetched libtorch stays in the user's cache folder
	rm -rf build bin dist

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

tools:
	@for tool in g++:g++ cmake:cmake go:golang; do command -v $${tool%:*} >/dev/null || \
	  { echo "make: $${tool%:*} is missing (Debian: apt install $${tool#*:})" >&2; exit 1; }; done
	@want=$$(sed -n 's/^go //p' go.mod); have=$$(go env GOVERSION); have=$${have#go}; \
	[ "$$(printf '%s\n' "$$want" "$$have" | sort -V | head -n 1)" = "$$want" ] || \
	  { echo "make: Go $$have is too old: go.mod asks for $$want (from 1.21 on, Go fetches that by itself)" >&2; exit 1; }

# Configured when libtorch is not there (yet) or another one is asked for; all else the build tool notices by itself.
shim: tools
	@if [ ! -e build/libtorch/libtorch_cpu.so ] || { [ -n "$(LIBTORCH)" ] && ! grep -qxF 'LIBTORCH:PATH=$(LIBTORCH)' build/CMakeCache.txt; }; then \
	  cmake -S . -B build $(if $(LIBTORCH),-DLIBTORCH='$(LIBTORCH)') >/dev/null; fi
	@cmake --build build -j

# gotorch's library comes from the module's source in Go's cache; only torch/gotorch and its tests need it.
gotorch: shim
	@go mod download github.com/wangkuiyi/gotorch
	@folder=$$(go list -m -f '{{.Dir}}' github.com/wangkuiyi/gotorch); \
	grep -qxF "GOTORCH:PATH=$$folder" build/CMakeCache.txt || cmake -S . -B build -DGOTORCH="$$folder" >/dev/null
	@cmake --build build -j --target cgotorch
