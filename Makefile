# Every target works on a fresh machine with Python (3.11 or newer), git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: check test explore agents agent-programs agreement demo kind bench docs schemas corpus oracles controlplane wheel clean fix
.DEFAULT_GOAL := check

# pip 25.1 knows dependency groups; the stamp is older than pyproject.toml when they have changed.
$(VENV)/.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

check: $(VENV)/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.docs --check

fix: $(VENV)/.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(VENV)/.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# The property tests once more, with cases that no run has met; what fails becomes an example.
explore: $(VENV)/.stamp
	$(BIN)/python -m pytest -m "hypothesis and not corpus and not bench" --hypothesis-profile=explore $(PYTEST_ARGS)

demo: $(VENV)/.stamp
	@$(BIN)/python -m tools.demo

# The same on a kind cluster of its own; needs kind and a running container engine, and fails without.
kind: $(VENV)/.stamp
	@$(BIN)/python -m tools.demo --kind

bench: $(VENV)/.stamp
	$(BIN)/python -m tools.bench
	$(BIN)/python -m tools.bench link
	$(BIN)/python -m tools.bench validate
	$(BIN)/python -m tools.bench scaffold
	$(BIN)/python -m tools.bench kubeconform
	$(BIN)/python -m tools.bench lint

corpus: $(VENV)/.stamp
	$(BIN)/python -m tools.corpus
	$(BIN)/python -m tools.origins
	$(BIN)/python -m tools.kustomizations
	$(BIN)/python -m pytest -m corpus $(PYTEST_ARGS)

docs: $(VENV)/.stamp
	$(BIN)/python -m tools.docs

# Our verdicts against those of a real API server, for the table in docs/validation.md: a quarter of an hour. What the server
# said is kept, so `python -m tools.agreement again` makes the page anew without one.
agreement: $(VENV)/.stamp
	$(BIN)/python -m tools.agreement

# The packed schemas, from pinned releases; needs a network, and writes the same bytes from the same pins.
schemas: $(VENV)/.stamp
	$(BIN)/python -m tools.schemas

# Small Go programs made of the agents' own libraries, to compare ours with: five minutes, once.
oracles: $(VENV)/.stamp
	$(BIN)/python -m tools.oracles build gotemplate fluxvalues envsubst kubeconform

# Flux's controllers and Argo CD, from their Go modules into the user's cache: a quarter of an hour, once.
agent-programs: $(VENV)/.stamp
	$(BIN)/python -m tools.controlplane agents

# Every layout under the agents in every cluster of the tests' spec, and Argo CD's own generators as an oracle.
# A run that was stopped goes on with GITOPS_LAYOUT_RESUME=1: what the table has as passed is left out.
agents: controlplane agent-programs
	$(BIN)/python -m tools.oracles build
	GITOPS_LAYOUT_TABLE=docs/real-agents-table.md GITOPS_LAYOUT_REQUIRE=controlplane,agents,registry,oracle-argocd $(BIN)/python -m pytest tests/agents tests/e2e -m "not bench" $(PYTEST_ARGS)

# kube-apiserver, kube-controller-manager, kube-scheduler, etcd and kwok, built from their Go modules
# into the user's cache: about 12 minutes on two cores, once.
controlplane: $(VENV)/.stamp
	$(BIN)/python -m tools.controlplane build

wheel: $(VENV)/.stamp
	$(BIN)/python -m build --quiet --outdir dist

clean:
	rm -rf dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(VENV)
