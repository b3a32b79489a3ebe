# The doors: chat, test, check, bench, ember. Each sets up what it needs.
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin

.PHONY: setup chat test test-all check fix bench bench-peers train-setup train-smoke ember-check ember clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV)

chat: setup
	@$(BIN)/hermes chat

# The directory is short because sockets lie below it.
run_tests = tmp=$$(mktemp -d /tmp/h.XXXX) && { $(BIN)/python -m pytest --basetemp="$$tmp/t" $(1) $(PYTEST_ARGS); \
	code=$$?; rm -rf "$$tmp"; exit $$code; }
on_all_cores = -n auto --dist loadfile
# Processes, lines and clocks of a machine that may be busy: once more, and named in the summary.
once_more = --reruns 1 -rR

test: setup
	@$(call run_tests,-m "not slow" $(on_all_cores))

test-all: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/lines.py
	$(MAKE) test
	@$(call run_tests,-m "slow and not alone" $(on_all_cores) $(once_more))
	@$(call run_tests,-m alone $(once_more))

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

# What makes models. PyTorch comes from the registry: for a small download on a machine without a
# GPU let PIP_EXTRA_INDEX_URL name PyTorch's index of CPU wheels.
train-setup: $(VENV)/.train

$(VENV)/.train: $(VENV)/.ready
	@sh scripts/setup.sh $(VENV) train
	@touch $@

train-smoke: train-setup
	sh training/runs/smoke.sh $(BIN)

# The model that ships, a little under the figures of its card.
ember-check: train-setup
	$(BIN)/hermes train eval ember --grammar on --set free --set values --set results --set no-call \
		--set answers --set depth-0 --set depth-500 --min free=0.54 --min values=0.82 \
		--min results=0.77 --min no-call=0.73 --min answers=0.64 --min depth-0=0.77 \
		--min depth-500=0.66

ember: train-setup
	sh training/runs/ember.sh $(BIN)

clean:
	rm -rf $(VENV) $(VENV)-llama $(VENV)-train $(PEERS)
