# make demo   set everything up and cluster a drawn corpus of images
# make test   set everything up and run all tests, of Python and R
# make lint   style and types           make bench  measure all figures of the docs anew
# make site   the website, in site/       make document  what is made from the R sources
# make coverage  which lines the tests of both languages reach
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-r test-lowest coverage lint bench site document vignettes clean
.DELETE_ON_ERROR:

demo: .venv/core
	@$(BIN)/imagestrata demo demo/images
	$(BIN)/imagestrata run demo/images --out demo/run --near-duplicates 4

test: .venv/dev
	@tools/system-packages chromium tesseract
	$(BIN)/python -m pytest -n auto --dist worksteal
	$(MAKE) test-r

test-r: .venv/core
	@tools/system-packages r
	tools/test-r $(BIN)/python

# Counting lines makes tests slow, so `make test` does not.
coverage: .venv/dev
	@tools/system-packages chromium r tesseract
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered
	RETICULATE_PYTHON=$(CURDIR)/$(BIN)/python NOT_CRAN=true OMP_NUM_THREADS=1 \
	  Rscript -e 'print(covr::package_coverage(quiet = FALSE))'

# What is made from the sources: pictures, man pages, examples, vignettes, PARITY.md.
document: .venv/dev demo
	@tools/system-packages chromium r tesseract
	$(BIN)/python tools/pictures.py
	tools/document-r $(BIN)/python

vignettes: .venv/dev
	@tools/system-packages chromium r tesseract
	RETICULATE_PYTHON=$(CURDIR)/$(BIN)/python Rscript tools/vignettes.R

# The oldest versions that pyproject.toml admits, in an environment of their own.
test-lowest:
	@tools/system-packages venv chromium tesseract
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install -q uv
	VIRTUAL_ENV=.venv-lowest .venv-lowest/bin/uv pip install --resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/python -m pytest -n auto --dist worksteal

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows
	@tools/system-packages r
	Rscript tools/lint.R

# All of benchmarks/, about an hour and a half on two cores; what is done on this commit is not repeated.
bench: .venv/bench
	@tools/system-packages chromium r tesseract
	$(BIN)/python benchmarks/run.py
	$(BIN)/python tools/measured.py

# One website of both references, docs, vignettes and a gallery; it ends with an error if a link
# leads nowhere.
site: .venv/dev
	@tools/system-packages r
	RETICULATE_PYTHON=$(CURDIR)/$(BIN)/python OMP_NUM_THREADS=1 Rscript tools/site.R
	$(BIN)/python tools/site.py
	@echo "Open site/index.html"

clean:
	rm -rf .venv .venv-lowest demo build dist site python/*.egg-info

.venv/core: pyproject.toml
	@tools/system-packages venv
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e .
	@touch $@

.venv/dev: .venv/core
	$(BIN)/pip install -q -e '.[dev]'
	@touch $@

# Packages with which benchmarks/peers.py compares, and that nothing else needs.
.venv/bench: .venv/dev
	$(BIN)/pip install -q imagededup faiss-cpu
	@touch $@
