# The doors: chat, test, check, bench. Each sets up what it needs.
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin

.PHONY: setup chat test test-all check fix bench bench-peers clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV)

chat: setup
	@$(BIN)/hermes chat

test: setup
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/lines.py
	$(BIN)/python -m pytest $(PYTEST_ARGS)

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-peers: setup $(PEERS)/.ready
	$(BIN)/python -m benchmarks peers $(BENCH_ARGS)

$(PEERS)/.ready: benchmarks/peers/requirements.txt
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-llama $(PEERS)
