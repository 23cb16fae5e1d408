# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROTOS := $(wildcard proto/binwright/v1/*.proto proto/binwright/vendor/*/*.proto)
SERVICES := $(wildcard proto/binwright/v1/*_service.proto) proto/binwright/vendor/autoscaler/expander.proto
KERNELS := $(shell grep -rl --include=*.py 'import njit' optimizer server benchmarks)

.PHONY: help setup demo test test-slow test-random lint types imports stubs stubs-check unit benchmark benchmark-table benchmark-all benchmark-optima benchmark-heuristics benchmark-growth benchmark-plan benchmark-plan-large benchmark-plan-growth benchmark-warm benchmark-prompt benchmark-spot benchmark-pictures browser components interop peers format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

setup: $(VENV)/.ready $(VENV)/.kernels ## virtual environment, editable install, compiled kernels

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

# numba notices a change in a kernel's own file but not in the kernels it calls, so all compile again.
$(VENV)/.kernels: $(VENV)/.ready $(KERNELS)
	find optimizer server benchmarks -name '*.nb[ic]' -delete
	$(BIN)/python -m binwright_server.warmup
	$(BIN)/python -m binwright_benchmarks.warmup
	touch $@

demo: setup ## pack a real GPU trace onto the real AWS catalogue and onto the reference pools
	$(BIN)/python -m binwright_benchmarks.demo

test: setup lint types imports stubs-check unit ## everything CI runs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd proto && ../$(BIN)/buf lint

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

stubs: setup ## regenerate the committed gRPC stubs
	cd proto && ../$(BIN)/python -m grpc_tools.protoc -I. --plugin=protoc-gen-mypy=../$(BIN)/protoc-gen-mypy \
	  --python_out=. --mypy_out=quiet:. $(PROTOS:proto/%=%)
	cd proto && ../$(BIN)/python -m grpc_tools.protoc -I. \
	  --plugin=protoc-gen-mypy_grpc=../$(BIN)/protoc-gen-mypy_grpc \
	  --grpc_python_out=. --mypy_grpc_out=quiet:. $(SERVICES:proto/%=%)

stubs-check: stubs ## fail if the committed stubs are stale
	@git diff --exit-code --stat -- 'proto/**/*_pb2*' || { echo "stubs are stale: run 'make stubs' and commit"; exit 1; }

unit: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not interop"

test-slow: setup ## the tests that take more than ten seconds each
	$(BIN)/python -m pytest -m "slow and not interop"

test-random: setup ## the property tests again, with other examples than those every run draws
	HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not interop"

# Pages are tested in a real Chromium. Only root on a Debian-like system can install one here.
browser: ## install Chromium for the tests of pages, where it is missing and can be had
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "browser: no Chromium here, and only root can install one with apt-get: its tests are skipped"; \
	elif ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; }; then \
	  echo "browser: Chromium cannot be installed, see above: its tests are skipped"; fi

benchmark: setup ## every bundled instance once or for three seeds; appends a dated result file (15 minutes)
	$(BIN)/binwright benchmark

benchmark-table: setup ## proven gaps at 0.1, 1 and 10 s against their aims, savings, losses, memory (40 minutes)
	$(BIN)/python -m binwright_benchmarks.quality --suite table --pictures benchmarks/pictures

benchmark-all: setup ## the same for every family (3 hours; some need BINWRIGHT_SHARED_DATA)
	$(BIN)/python -m binwright_benchmarks.quality --suite all

benchmark-optima: setup ## bin packing with known optima through the command (BINWRIGHT_SHARED_DATA; 5 minutes)
	$(BIN)/python -m binwright_benchmarks.known_optima

benchmark-heuristics: setup ## all sizes of them against the best published answers (BINWRIGHT_SHARED_DATA; 2 hours)
	$(BIN)/python -m binwright_benchmarks.known_optima --heuristics

benchmark-plan: setup ## plans of the shipped forecasts beside the sizing rule and each quarter alone (3 minutes)
	$(BIN)/python -m binwright_benchmarks.planning

benchmark-plan-large: setup ## 12 quarters x 5 regions x 100 scenarios x 200 workloads, then again with a worker and the driver killed (1 hour)
	$(BIN)/python -m binwright_benchmarks.plan_kills

benchmark-plan-growth: setup ## work of plans by quarters, regions, scenarios and workloads, and what more workers would do
	$(BIN)/python -m binwright_benchmarks.plan_growth

benchmark-growth: setup ## time to a gap of 1 % by classes, offerings and replicas (10 to 40 minutes)
	$(BIN)/python -m binwright_benchmarks.growth

benchmark-warm: setup ## a slightly changed question, cold and warm (10 minutes)
	$(BIN)/python -m binwright_benchmarks.warm_start

benchmark-prompt: setup ## first answers, deadlines and cancellation, by the clock (BINWRIGHT_SHARED_DATA; 15 minutes)
	$(BIN)/python -m binwright_benchmarks.promptness

benchmark-spot: setup ## caps on spot pools: cost against what a reclaim takes, every pool taken away (7 minutes)
	$(BIN)/python -m binwright_benchmarks.spot_risk

benchmark-pictures: setup ## pictures of the latest quality, growth and spot risk results
	$(BIN)/python -m binwright_benchmarks.pictures $(foreach kind,quality growth spot-risk,$(lastword $(sort $(wildcard benchmarks/results/$(kind)-*.json))))

# The real etcd, kube-apiserver, kube-scheduler, kwok and Karpenter, built once and kept in ~/.cache/binwright.
# Exit code 75 says that Go is missing or the build, which goes on in the background, needs longer.
COMPONENTS = $(BIN)/python -m binwright_benchmarks.peers.components --limit $(BUILD_LIMIT)
BUILD_LIMIT ?= 3600

components: setup ## build the real Kubernetes components (needs Go; half an hour, once)
	$(COMPONENTS)

interop: setup ## run against the real components; scenarios whose components cannot be had are skipped with a reason
	@$(COMPONENTS); code=$$?; \
	if [ $$code = 75 ]; then echo "interop: scenarios that need what is not available are skipped, see the line above"; \
	elif [ $$code != 0 ]; then exit $$code; fi; \
	$(BIN)/python -m pytest -m interop -rs tests/interop

peers: setup ## the benchmark's questions, asked of the real Karpenter
	$(COMPONENTS) karpenter
	$(BIN)/python -m binwright_benchmarks.peers

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd proto && ../$(BIN)/buf format -w

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
