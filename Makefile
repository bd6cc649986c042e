# Two commands matter: `make train` and `make test`. Both set themselves up; `make help` lists the rest.
# An active virtual environment is used as it is; otherwise one is made in .venv.
# Paths reach the shell as variables of its own: they may hold spaces and quotes, which make's own words may not.
export VENV := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
RUN := "$$VENV"/bin/
PYTHON ?= python3
.DEFAULT_GOAL := help
.PHONY: help setup develop train test check check-page bench test-faults screenshots film dist image

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# A stamp names the copy of convscope that is installed: another one in the same environment installs itself.
# What is developed is installed, too, so both stamps are written then.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, not " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	@stamp="$$VENV"/$(firstword $(2)); \
	if [ "$$(cat "$$stamp" 2>/dev/null)" = "$$PWD" ] && ! [ pyproject.toml -nt "$$stamp" ] && ! [ constraints.txt -nt "$$stamp" ]; then exit 0; fi; \
	set -e; \
	test -x $(RUN)python || $(PYTHON) -m venv "$$VENV"; \
	$(RUN)python -m pip --version >/dev/null 2>&1 || $(RUN)python -m ensurepip; \
	echo "installing convscope and what it needs into $$VENV"; \
	$(RUN)python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(1)'; \
	for stamp in $(2); do printf '%s\n' "$$PWD" > "$$VENV/$$stamp"; done
endef

setup: ## create .venv and install the package with what it needs to run, pinned
	$(call install,.,.convscope-installed)

develop: ## the same, and what the tests and checks need
	$(call install,.[dev],.convscope-developed .convscope-installed)

train: setup ## train, test and plot a net on real handwritten digits (under a minute)
	$(RUN)convscope train

test: develop ## the whole test suite, shared among the cores
	$(RUN)python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: develop ## lint, format and types; the page's JavaScript where there is npm
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory check-page; else echo 'npm is not here, so the JavaScript of the page is not checked'; fi

check-page: node_modules/.package-lock.json ## lint and format of the page's JavaScript (needs npm)
	npm run --silent check

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

bench: develop ## measure what the README claims (needs MNIST)
	$(RUN)python -m bench

test-faults: develop ## the long tests: kills, faults, hostile input, random nets; prints what was tried (some 15 minutes)
	CONVSCOPE_FAULTS=full OMP_NUM_THREADS=1 $(RUN)python -m pytest -o timeout=1800 tests/faults tests/engine tests/explain tests/export tests/runs tests/python/test_compile.py tests/test_mnist.py

screenshots: develop ## the pictures of the lab in README and docs (needs Chromium)
	$(RUN)python docs/screenshots.py

film: develop ## the stranger's path through the lab as a film, docs/images/lab-path.gif (needs Chromium)
	$(RUN)python docs/film.py

dist: develop ## wheel and sdist in dist/
	$(RUN)python -m build

image: ## a container image for CPUs (needs Docker)
	docker build --tag convscope .
	docker run --rm convscope devices
