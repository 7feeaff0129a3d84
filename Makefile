# Ends with us when make is killed, so that nothing is left running (Linux).
TETHER := $(if $(shell command -v setpriv 2>/dev/null),setpriv --pdeathsig TERM --)
PYTEST_ARGS ?=
# Two at a time, a file at a time: much of the suite is waiting for processes to start and to die. In the order of
# their names: the longest file comes first and the short ones last, so that both workers end together. Files that
# share the running system go to one worker (tests/support/spread.py), so that it starts once. A worker
# that is lost, with a test that hangs, is not replaced: xdist would wait for ever for the one in its place.
SPREAD ?= -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help up test chaos lint setup clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 \t\2/p' $(MAKEFILE_LIST)

up: ## install what is missing, start broker, database and the three services; Ctrl-C stops all of it
	@sh local/setup.sh run
	@exec $(TETHER) .venv/bin/python -m local

test: ## install what is missing and run the whole suite
	@WITH_BROWSER=yes sh local/setup.sh dev
	@.venv/bin/python -m pytest $(SPREAD) $(PYTEST_ARGS)

chaos: ## kill everything at random for minutes and look for what was lost: CHAOS_SECONDS, CHAOS_SEED, CHAOS_ARGS
	@sh local/setup.sh dev
	@.venv/bin/python -m tests.chaos $(CHAOS_SECONDS) $(CHAOS_SEED) $(CHAOS_ARGS)

lint: ## ruff and mypy
	@sh local/setup.sh dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

setup: ## install what is missing, and nothing else
	@sh local/setup.sh dev

clean: ## remove the virtual environment and caches; data stays
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
