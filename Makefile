# All work is done in .venv, made by the first target that needs it; stamps say what is in it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run up test check desktop judge simulate torture fuzz hostile poisoned aging volume mutants bench locks \
	image lambda clean python

# The first python that is new enough and really starts (a name may be a shim that does not).
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$name; break; }; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header

# Packages of the agent's pages are installed beside what Python has, never among the sources.
TSC := .venv/desktop/node_modules/.bin/tsc

IMAGE ?= connect-dynamics
COMMIT_ARG = --build-arg COMMIT=$$(git rev-parse --short=12 HEAD 2>/dev/null)

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install: .venv/run.stamp ## Make .venv with the locked dependencies; needs Python 3.11 to 3.13

run: .venv/run.stamp ## Show the whole product on this machine, without clouds, in half a minute
	@$(BIN)/python -m worker.sandbox.demo

up: .venv/run.stamp ## The same, staying up with a new contact every second until Ctrl-C
	@$(BIN)/python -m worker.sandbox.demo --up

test: check ## Run all checks and tests, with coverage; pytest's summary comes last
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	$(BIN)/pytest -n 3 --dist loadfile --cov --cov-report= | tee "$$log"; \
	$(BIN)/coverage report --skip-covered --fail-under=90; \
	$(BIN)/coverage report --include='pipelines/*' --skip-covered --fail-under=95; \
	tail -n 1 "$$log"

check: .venv/dev.stamp .venv/desktop.stamp ## Check style, types and the layers of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(TSC) -p worker/desktop

desktop: .venv/run.stamp .venv/desktop.stamp ## Build the agent's pages into worker/desktop/dist; needs Node 20
	@$(TSC) -p worker/desktop
	@$(BIN)/python -m worker.desktop.assembly

judge: .venv/dev.stamp ## Run the slow tests: killed workers, the real KCL, the image; up to half an hour
	@status=0; \
	$(BIN)/pytest -n 2 --dist load -m "judge and not alone" --durations=10 || status=$$?; \
	$(BIN)/pytest -m "judge and alone" --durations=10 || status=$$?; \
	exit $$status

SEEDS ?= 300

simulate: .venv/dev.stamp ## Run SEEDS=300 simulated worlds, or show what happens in world SEED=
	@PYTHONPATH=tests/support:. $(BIN)/python -m simulated --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

MINUTES ?= 10

torture: .venv/dev.stamp ## Run workers under fault injection for MINUTES=10, with SEED=1
	@PYTHONPATH=tests/support:. $(BIN)/python -m torture --minutes $(MINUTES) --seed $(or $(SEED),1)

fuzz: .venv/dev.stamp ## Fuzz messages, values, answers and files for SECONDS=60
	@FUZZ_SECONDS=$(or $(SECONDS),60) $(BIN)/pytest -q -o timeout=0 -rP tests/property/test_fuzz*.py

hostile: .venv/dev.stamp ## Run workers against servers that misbehave byte by byte; a quarter of an hour
	@$(BIN)/pytest -n 2 --dist loadfile -m "judge or hunt" tests/integration/hostile

CONTACTS ?= 20000

poisoned: .venv/dev.stamp ## Replay CONTACTS=20000 of which Dynamics refuses 1 % in each of eight ways
	@PYTHONPATH=tests/support:. $(BIN)/python -m tests.benchmarks.poisoned --contacts $(CONTACTS)

HOURS ?= 2

aging: .venv/dev.stamp ## Run a worker for HOURS=2 at 20 messages a second and see what grows
	@PYTHONPATH=tests/support:. $(BIN)/python -m tests.benchmarks.aging --hours $(HOURS)

volume: .venv/dev.stamp ## Replay CONTACTS=1000000 into nothing: is it as fast at its end as at its begin?
	@PYTHONPATH=tests/support:. $(BIN)/python -m tests.benchmarks.volume \
		--contacts $(if $(filter command line environment,$(origin CONTACTS)),$(CONTACTS),1000000)

mutants: .venv/mutants.stamp ## Mutation-test the pure core and the leases; MODULES=pipelines.plan for some
	@nice -n 10 $(BIN)/python tests/benchmarks/mutants.py $(MODULES)

bench: .venv/peers.stamp ## Measure all, in half an hour; SECTIONS=ingest,start AGAINST=checkout REPORT=page.html
	@PYTHONPATH=tests/support $(BIN)/python -m tests.benchmarks $(if $(SECTIONS),--sections $(SECTIONS)) \
		$(if $(AGAINST),--against $(AGAINST)) $(if $(REPORT),--report $(REPORT))

locks: ## Update the locked dependencies; needs uv
	$(LOCK) pyproject.toml --extra sandbox --output-file infra/locks/run.txt --upgrade
	$(LOCK) pyproject.toml --all-extras --constraint infra/locks/run.txt \
		--output-file infra/locks/dev.txt --upgrade
	$(LOCK) pyproject.toml --constraint infra/locks/run.txt \
		--output-file infra/locks/worker.txt --upgrade
	@# A newer cbor2, pyOpenSSL or plux breaks it; from version 4.13 on it needs Python 3.13.
	echo "localstack-core[runtime]==4.9.2" | $(LOCK) - --exclude-newer 2025-10-20 \
		--output-file infra/locks/localstack.txt
	echo "kclpy-ext==3.1.3.post4" | $(LOCK) - --output-file infra/locks/kcl.txt
	$(LOCK) infra/lambda/requirements.in --constraint infra/locks/run.txt \
		--output-file infra/locks/lambda.txt --upgrade
	echo 'mutmut>=3.8,<4' | $(LOCK) - --constraint infra/locks/dev.txt \
		--output-file infra/locks/mutants.txt --upgrade
	echo "async-kinesis==3.0.1" | $(LOCK) - --constraint infra/locks/dev.txt \
		--output-file infra/locks/peers.txt --upgrade

image: desktop ## Build the container image with docker or buildah, which get BUILD_OPTIONS
	@if docker info >/dev/null 2>&1; then \
		docker build --file infra/docker/Dockerfile --tag $(IMAGE) $(COMMIT_ARG) $(BUILD_OPTIONS) .; \
		docker images $(IMAGE); \
	elif command -v buildah >/dev/null; then \
		buildah build --format docker --file infra/docker/Dockerfile --tag $(IMAGE) \
			$(COMMIT_ARG) $(BUILD_OPTIONS) .; \
		buildah images $(IMAGE); \
	else \
		echo "not run: no docker engine answers, and there is no buildah"; \
	fi

lambda: .venv/run.stamp ## Package the contact flows' Lambda as dist/flow-lambda.zip
	@$(BIN)/python infra/lambda/package.py dist/flow-lambda.zip

python: # The python that .venv is made with
	@echo $(PYTHON)

clean: ## Remove .venv and what tools leave behind
	rm -rf .venv .coverage* .hypothesis .*_cache
	find infra pipelines tests worker -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/pip:
	@$(if $(PYTHON),,echo "Python 3.11, 3.12 or 3.13 is needed: make install PYTHON=..."; exit 1)
	$(PYTHON) -m venv .venv

.venv/run.stamp: pyproject.toml infra/locks/run.txt | $(BIN)/pip
	@echo "installing into .venv, which takes a minute or so"
	$(PIP) --require-hashes --requirement infra/locks/run.txt
	$(PIP) --no-deps --editable .
	@touch $@

.venv/dev.stamp: infra/locks/dev.txt .venv/run.stamp
	$(PIP) --require-hashes --requirement infra/locks/dev.txt
	@touch $@

# The lock's hashes decide what is installed, and none of it runs a script.
.venv/desktop.stamp: worker/desktop/package.json worker/desktop/package-lock.json worker/desktop/.npmrc
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo "Node 20 or newer with npm is needed for the agent's pages"; exit 1; }
	@mkdir -p .venv/desktop
	@cp $^ .venv/desktop/
	@npm ci --ignore-scripts --loglevel=error --no-progress --prefix .venv/desktop >/dev/null
	@touch $@

# Beside what is installed, not in it: only make mutants has it on its path.
.venv/mutants.stamp: infra/locks/mutants.txt .venv/dev.stamp
	rm -rf .venv/mutants
	$(PIP) --require-hashes --target .venv/mutants --requirement infra/locks/mutants.txt
	@touch $@

# Likewise for make bench: what runs side by side with the worker.
.venv/peers.stamp: infra/locks/peers.txt .venv/dev.stamp
	rm -rf .venv/peers
	$(PIP) --require-hashes --target .venv/peers --requirement infra/locks/peers.txt
	@touch $@
