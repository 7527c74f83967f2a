# One command for each thing. `make test` is what CI runs; `make demo` shows the product; `make help` lists all.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# CLUSTER=local (default: a real Kubernetes on this machine), current (your kubeconfig's context) or kind.
CLUSTER ?= local
PYTHON ?= python3
# The system's certificates: behind a company's proxy they are the ones that count.
export UV_SYSTEM_CERTS := 1
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
UV := $(CURDIR)/.tools/bin/uv
RUN := $(CURDIR)/.venv/bin

.PHONY: help setup fmt lint types contracts unit component contract e2e test test-all demo bench crds manifests dashboards docs images cluster-up cluster-down clean soak bench-start bench-operator truth oracle causes fuzz mutants simulations

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(UV):
	@echo "[setup] uv, into .tools (usually 10 s)"
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null)
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

.venv/.synced: $(UV) pyproject.toml uv.lock
	@echo "[setup] Python dependencies from uv.lock (usually 15 s)"
	@$(UV) sync --frozen --all-extras --quiet
	@touch $@

setup: .venv/.synced ## install the Python tools and dependencies

fmt: setup ## format the code
	@$(RUN)/ruff format --quiet .
	@$(RUN)/ruff check --quiet --fix .

lint: setup ## formatting, lint, import contracts
	@echo "[lint]"
	@$(RUN)/ruff format --check --quiet .
	@$(RUN)/ruff check .
	@$(RUN)/lint-imports --no-cache | tail -n 20

types: setup ## mypy --strict
	@echo "[types]"
	@$(RUN)/mypy

unit: setup ## pure tests, milliseconds each
	@echo "[unit]"
	@$(RUN)/pytest tests/unit tests/oracle tests/mutants -q -n2

simulations: setup ## coverage, false alarms and power of the capacity statistics (minutes)
	@echo "[simulations]"
	@$(RUN)/pytest tests/simulations -q -n2

# The component tests also run against a real nginx, started by them on loopback.
/usr/sbin/nginx:
	@echo "[setup] nginx from Debian (usually 5 s)"
	@apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null

# And in a real browser: the report.
/usr/bin/chromium:
	@echo "[setup] chromium from Debian (usually 60 s)"
	@apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null

component: setup /usr/sbin/nginx /usr/bin/chromium ## real sockets on loopback, kopf against an emulated API, the report in a browser
	@echo "[component]"
	@$(RUN)/pytest tests/component -q -n4

# The contract tests ask Prometheus' own tool about rules and series.
/usr/bin/promtool:
	@echo "[setup] promtool from Debian (usually 15 s)"
	@apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null

contract: setup /usr/bin/promtool ## generated files are current, samples fit the models
	@echo "[contract]"
	@$(RUN)/pytest tests/contract -q -m "not e2e"

crds: setup ## regenerate the CRDs, the chart's copy and the reference page
	@$(RUN)/python -m loadtest_operator.api.schema

manifests: ## regenerate deploy/manifests from the chart, with the local cluster's Helm or yours
	@PATH="$(CURDIR)/.localcluster/bin:$$PATH" sh deploy/manifests/render.sh > deploy/manifests/operator.yaml.new
	@mv deploy/manifests/operator.yaml.new deploy/manifests/operator.yaml

dashboards: setup ## regenerate the chart's Grafana dashboards
	@$(RUN)/python deploy/grafana

MKDOCS := $(UV) run --no-project --with 'mkdocs-material==9.8.2' mkdocs build --strict --site-dir site

docs: setup ## the pages of docs/ as a site in site/; a link that leads nowhere fails it
	@echo "[docs]"
	@NO_MKDOCS_2_WARNING=1 $(MKDOCS) 2>&1 | grep -v '^INFO' || test $${PIPESTATUS[0]} -eq 0

cluster-up: ## a real one-node Kubernetes on this machine
	@$(PYTHON) deploy/localcluster up

cluster-down: ## remove it, with everything in it
	@$(PYTHON) deploy/localcluster down

images: setup ## build the images and load them into the local cluster
	@$(PYTHON) deploy/localcluster images

# The longest first.
WAITING := tests/e2e/test_schedule.py tests/e2e/test_crashes.py tests/e2e tests/contract

e2e: setup ## the product on a real cluster, with a real model
	@echo "[e2e] on cluster: $(CLUSTER)"
	@$(RUN)/python deploy/demo prepare --cluster $(CLUSTER)
	@export KUBECONFIG="$$($(RUN)/python deploy/demo kubeconfig --cluster $(CLUSTER))" PATH="$(CURDIR)/.localcluster/bin:$$PATH"; \
		echo "[e2e] what mostly waits, in turns side by side (usually 4 min)"; \
		$(RUN)/pytest $(WAITING) -m "e2e and not alone" -q -n3 --dist=loadfile --no-loadscope-reorder -p no:randomly --timeout=900; \
		echo "[e2e] what must be alone on the cluster (usually 10 min)"; \
		$(RUN)/pytest tests/e2e -m alone -q -n0 -p no:randomly --timeout=900

test: lint types docs unit component contract e2e ## everything; what CI runs

test-all: test ## and what takes real autoscalers minutes: on CPU and External metrics at once
	@export KUBECONFIG="$$($(RUN)/python deploy/demo kubeconfig --cluster $(CLUSTER))" PATH="$(CURDIR)/.localcluster/bin:$$PATH"; \
		$(RUN)/pytest tests/e2e -m heavy -q -n0 -p no:randomly --timeout=900

demo: setup ## from nothing to a verdict on a real model, live
	@$(RUN)/python deploy/demo run --cluster $(CLUSTER)

soak: setup ## a hundred short runs with random kills, on the local cluster
	@KUBECONFIG="$(CURDIR)/.localcluster/kubeconfig" PATH="$(CURDIR)/.localcluster/bin:$$PATH" $(RUN)/python tests/soak/soak.py --runs 100 --minutes 60

bench-start: setup ## how long a user waits: creation → first request, load end → verdict, abort → end, on the local cluster
	@KUBECONFIG="$(CURDIR)/.localcluster/kubeconfig" PATH="$(CURDIR)/.localcluster/bin:$$PATH" $(RUN)/python tests/perf/bench_start.py

bench-operator: setup ## what the operator costs: CPU, memory, API calls, on the local cluster
	@KUBECONFIG="$(CURDIR)/.localcluster/kubeconfig" PATH="$(CURDIR)/.localcluster/bin:$$PATH" $(RUN)/python tests/perf/bench_operator.py

/usr/bin/wrk:
	@echo "[setup] wrk from Debian (usually 5 s)"
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wrk >/dev/null

bench: setup /usr/sbin/nginx /usr/bin/wrk ## compare with wrk and the peers, and an earlier generator (AGAINST=commit), side by side (never part of the tests)
	@$(RUN)/python tests/perf/bench.py $(if $(AGAINST),--against $(AGAINST))

truth: setup ## every figure of a report beside what happened; writes docs/truth.md
	@cd tests && $(RUN)/python -m truth

oracle: setup ## the judge against a naive one that knows every request: 20 000 draws, and 2 000 whole runs (25 min)
	@cd tests && $(RUN)/python -m oracle --draws 20000
	@cd tests && $(RUN)/python -m oracle --runs 2000

causes: setup ## why an autoscaler missed its goal: is the planted cause the one that is named? 5 000 draws (5 min)
	@cd tests && $(RUN)/python -m oracle --causes 5000

fuzz: setup ## broken bytes and objects to whatever reads what others wrote: 100 000 cases each, at most 30 minutes (SEED=2: others)
	@cd tests && $(RUN)/python -m fuzz --seed $(or $(SEED),1)

mutants: setup ## small faults in the rooms that judge: how many do the unit tests notice? 250 of each (ROOM=judge, SEED=2, ALL=1)
	@cd tests && $(UV) run --frozen --all-extras --with 'mutmut==3.8.1' python -m mutants \
		$(if $(ROOM),--list --only $(ROOM)) $(if $(SEED),--seed $(SEED)) $(if $(ALL),--all)

clean: cluster-down ## cluster, virtual environment and caches of this clone
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis
