# make demo [PORT=8000] · make test · make torture · make check · make lock · make gallery · make words
PORT ?= 8000
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
# The machine's own pip fills the environment: it needs no copy of itself in there, nor ensurepip.
INSTALL = $(PYTHON) -m pip --python $(RUN) install --disable-pip-version-check --no-warn-script-location --require-hashes

# Many processes read the program: none of them need compile it anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test torture check gallery lock words
.DELETE_ON_ERROR:

demo: $(VENV)/demo
	@$(RUN) manage.py demo --port $(PORT)

test: $(VENV)/dev
	@sh tests/install
	$(RUN) -m pytest -n auto --maxprocesses 4 --no-loadscope-reorder

# The tests that have a full size (tests/sizes.py), at it. Takes long; says how it goes.
torture: $(VENV)/dev
	@sh tests/install
	DRDASH_TORTURE=1 $(RUN) -m pytest -v --capture=sys --durations=0 --durations-min=1 \
		$$(grep -rl --include='test_*.py' 'from tests.sizes import' tests | sort)

check: $(VENV)/dev
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run
	DRDASH_PUBLIC_URL=https://dr.example.com DRDASH_SECRET_KEY=$$($(RUN) -c 'import secrets; print(secrets.token_hex(40))') \
		$(RUN) manage.py check --deploy --fail-level WARNING

# Pictures of every page, into docs/.
gallery: $(VENV)/dev
	@sh tests/install
	$(RUN) -m tests.e2e.gallery

# What there is to translate, into the catalogs of all languages; and those as the program reads them. It needs GNU gettext.
words: $(VENV)/dev
	$(RUN) manage.py makemessages
	$(RUN) manage.py compilemessages

lock: $(VENV)/dev
	$(RUN) -m uv --version >/dev/null 2>&1 || $(PYTHON) -m pip --python $(RUN) install uv
	$(LOCK) -o requirements.txt
	$(LOCK) --extra embedded -c requirements.txt -o requirements-embedded.txt
	$(LOCK) --extra embedded --extra dev -c requirements-embedded.txt -o requirements-dev.txt

LOCK = $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url pyproject.toml

$(RUN):
	@test -n "$(PYTHON)" || { echo "drdash needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/it."; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/demo: requirements-embedded.txt | $(RUN)
	@echo "Installing what the demo needs (once; about 15 s)"
	@$(INSTALL) -r $<
	@touch $@

$(VENV)/dev: requirements-dev.txt | $(RUN)
	@echo "Installing what the tests and checks need (once; about 30 s)"
	@$(INSTALL) -r $<
	@touch $@ $(VENV)/demo
