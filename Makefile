# Every target creates the .venv that it needs. `make TORCH="torch --index-url https://download.pytorch.org/whl/cpu" demo`
# takes PyTorch's own processor-only build, which is smaller.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup demo test test-processors slow lint types fmt docs tutorials coverage clean

demo: .venv/.demo
	rm -rf runs/demo
	$(BIN)/albertkit finetune --model albert-nano --data polarity --epochs 1 --batch-size 16 --learning-rate 3e-4 \
	  --out runs/demo
	$(BIN)/albertkit predict runs/demo \
	  "A warm, funny and beautifully acted film." \
	  "Two hours of my life that I will never get back." \
	  "Boring, predictable and far too long."
	@echo "plots: runs/demo/plots/; model (a Hugging Face folder): runs/demo/model"

setup: .venv/.setup

# One process per core, each with one thread; a file's tests stay together, since they share what is slow to make.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
# The tests whose numbers or kernels depend on the processor.
NUMERIC := tests/hardware tests/models tests/inference tests/encoder tests/test_foreign_fixtures.py \
  tests/tasks tests/training tests/estimators tests/exporting tests/explaining tests/serving/test_batching.py \
  tests/cli/test_precisions.py tests/cli/test_predict.py tests/cli/test_embed.py tests/cli/test_export.py tests/benchmarks

test: .venv/.setup
	$(PYTEST)

# The same numbers on other processors, simulated: AVX2 only, then no prepacked products, as on ARM and macOS.
# tests/hardware/test_processor.py fails where a variable is not in force.
test-processors: .venv/.setup
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(PYTEST) $(NUMERIC)
	ALBERTKIT_PREPACKED=0 $(PYTEST) tests/hardware/test_processor.py tests/inference tests/encoder tests/tasks \
	  tests/training/test_finetune.py tests/training/test_loop.py tests/training/test_whole_step.py

slow: .venv/.setup
	$(BIN)/python -m pytest -m "slow"

coverage: .venv/.setup
	$(BIN)/python -m pytest --cov=albertkit --cov-report=term-missing:skip-covered

lint: .venv/.setup
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/python docs/voice.py

types: .venv/.setup
	$(BIN)/mypy

fmt: .venv/.setup
	$(BIN)/ruff check --fix src tests examples benchmarks
	$(BIN)/ruff format src tests benchmarks

# The pages that are made from code, then site/ with every warning an error; `python -m http.server -d site` shows it.
docs: .venv/.docs
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/draw.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# DATA: a folder with imdb.tar.xz and glue_and_polarity.tar.xz (or their extracted forms).
tutorials: .venv/.setup
	$(BIN)/python examples/run.py --data-dir "$(or $(DATA),../shared/data)" --out runs/tutorials

clean:
	rm -rf .venv build dist runs site

.venv/bin/python:
	$(PYTHON) -m venv .venv

# PyTorch first: what else needs it must find this build and bring no other.
.venv/.demo: pyproject.toml | .venv/bin/python
	$(PIP) $(TORCH)
	$(PIP) --editable .
	touch $@

.venv/.setup: .venv/.demo
	$(PIP) --editable '.[dev]'
	touch $@

.venv/.docs: .venv/.setup
	$(PIP) --editable '.[docs]'
	touch $@
