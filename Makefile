# Two commands matter: `make demo` opens the console on a made-up incident, `make test` proves it on real servers.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.made-run
DEV    := $(VENV)/.made-dev

.PHONY: demo install test test-fast test-nightly check format screenshots snapshots bench docs servers clean

demo: $(RUN)
	@$(BIN)/opsconsole demo

install: $(RUN)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "opsconsole needs Python >= 3.11: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }

$(RUN): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): $(RUN) pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

servers:
	@sh tests/install-servers.sh

test: $(DEV) servers
	$(BIN)/pytest -m "not nightly" -n 3 --dist loadgroup -q || \
	  { [ $$? -eq 1 ] && echo "Once more, what failed while three ran at once: what fails alone is broken." && \
	    $(BIN)/pytest -m "not nightly" --last-failed --last-failed-no-failures none --snapshot-warn-unused -q; }

test-fast: $(DEV)
	$(BIN)/pytest tests/unit tests/ui -m "not nightly" -n 2 -q

test-nightly: $(DEV) servers
	$(BIN)/pytest -q

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.support.docs --check
	$(BIN)/opsconsole playbook lint

format: $(DEV)
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: $(DEV)
	$(BIN)/python -m tests.support.docs

screenshots: $(DEV)
	$(BIN)/python -m tests.support.screenshots

snapshots: $(DEV)
	$(BIN)/pytest tests/ui -k snapshot --snapshot-update -q

bench: $(DEV) servers
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis snapshot_report.html
