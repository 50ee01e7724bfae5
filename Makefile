# Two commands: `make demo` does the main job, `make test` passes the tests. Each installs all it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TENSORFLOW := .venv-tensorflow
TENSORFLOW_READY := $(TENSORFLOW)/.ready
MICRO := .venv-tflite-micro
MICRO_READY := $(MICRO)/.ready
RAY_READY := $(VENV)/.ray

.DEFAULT_GOAL := help
.PHONY: help demo test test-shuffled test-slow evidence check format docs bench lock results arena students decoding \
  recipes demo-results mutual protocols figures clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; name another with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; name one with PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# Saved models are also opened on Keras' TensorFlow backend, where this package is not installed.
$(TENSORFLOW_READY): requirements-tensorflow.lock $(READY)
	$(PYTHON) -m venv $(TENSORFLOW)
	$(TENSORFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tensorflow.lock
	@touch $(TENSORFLOW_READY)

# The interpreter of microcontrollers repeats exported LiteRT models; a pre-release, so in an environment of its own.
$(MICRO_READY): requirements-tflite-micro.lock $(READY)
	$(PYTHON) -m venv $(MICRO)
	$(MICRO)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tflite-micro.lock
	@touch $(MICRO_READY)

# Several machines: needed by nobody who has one, and by one slow test.
$(RAY_READY): requirements-ray.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-ray.lock
	@touch $(RAY_READY)

demo: $(READY)  ## train and compare on real subjects, choose a model within 8 kB, in out/demo
	$(BIN)/still demo --out out/demo

test: $(READY) $(TENSORFLOW_READY) $(MICRO_READY)  ## the tests (real recordings are read where they are found)
	$(BIN)/python -m pytest -n 2 --dist worksteal

SEED ?= $(shell date +%s)
test-shuffled: $(READY) $(TENSORFLOW_READY) $(MICRO_READY)  ## the tests in a random order (SEED repeats one)
	@echo "SEED=$(SEED)"
	STILLMOTION_SHUFFLE=$(SEED) $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY) $(TENSORFLOW_READY) $(MICRO_READY) $(RAY_READY)  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

# Root on a Debian machine brings the compilers and the emulator; elsewhere the user is told what to install.
evidence: $(READY)  ## C on emulated microcontrollers: its slow tests, and its sizes and instructions into results/device (RECORDINGS: M0 and M4 = host)
	@missing=; \
	need() { command -v $$1 >/dev/null || missing="$$missing $$2"; }; \
	need gcc "gcc libc6-dev"; \
	need arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"; \
	need qemu-system-arm qemu-system-arm; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	else \
	  echo "make: missing; install with: apt-get install$$missing" >&2; exit 1; \
	fi
	$(BIN)/python -m pytest -m slow tests/deploy
	$(BIN)/python -m benchmarks.device --out results/device
	if [ -n "$(RECORDINGS)" ]; then $(BIN)/python -m benchmarks.device_equality --data $(RECORDINGS) --out results/device/hapt; fi

check: $(READY)  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## mend formatting and what the linter can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY)  ## build the documentation into docs/_build
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "docs/_build/index.html"

bench: $(READY)  ## print every performance claim as a ratio (HAPT below STILLMOTION_DATA, if set)
	$(BIN)/python benchmarks/run.py signals
	$(BIN)/python benchmarks/run.py networks
	$(BIN)/python benchmarks/run.py training
	$(BIN)/python benchmarks/run.py memory
	$(BIN)/python benchmarks/run.py methods
	$(BIN)/python benchmarks/run.py statistics
	$(BIN)/python benchmarks/run.py host

lock:  ## pin every dependency with its hashes (needs uv)
	uv pip compile pyproject.toml --extra onnx --extra devices --extra test --extra check --extra docs \
	  --group build --python-version 3.11 --universal --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock
	uv pip compile --group tensorflow --constraint requirements.lock --python-version 3.11 --universal --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements-tensorflow.lock
	uv pip compile --group tflite-micro --prerelease allow --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements-tflite-micro.lock
	uv pip compile pyproject.toml --extra ray --constraint requirements.lock --python-version 3.11 --universal \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements-ray.lock

RECORDINGS ?= $(STILLMOTION_DATA)
results: $(READY) protocols  ## the study of the sources' five variants on HAPT, into results/ (hours; RECORDINGS holds hapt/)
	$(BIN)/still study attention-distillation --data $(RECORDINGS) --out out/attention-distillation-hapt --score-test
	mkdir -p results/attention-distillation-hapt
	cp out/attention-distillation-hapt/study.toml out/attention-distillation-hapt/results.* results/attention-distillation-hapt

PAIRS ?= mutual-distillation-hapt mutual-distillation-hapt-small
mutual: $(READY)  ## every method on two pairs of networks on HAPT, into results/ (hours; RECORDINGS holds hapt/)
	set -e; for name in $(PAIRS); do \
	  $(BIN)/still study results/$$name/study.toml --data $(RECORDINGS) --out out/$$name --score-test; \
	  cp out/$$name/results.* results/$$name; \
	done

arena: $(READY)  ## HAPT as WHAR Arena cuts it, five groupings of the subjects, into results/ (hours; RECORDINGS holds hapt/)
	set -e; for seed in 0 1 2 3 4; do for spec in spec hybrids; do \
	  $(BIN)/still study results/arena-hapt/$$spec.toml --set split.seed=$$seed --data $(RECORDINGS) \
	    --out out/arena-hapt/$$spec-$$seed --score-test; \
	done; done
	$(BIN)/still study results/arena-hapt/networks.toml --data $(RECORDINGS) --out out/arena-hapt/networks --score-test
	$(BIN)/python -m benchmarks.arena out/arena-hapt/* --out results/arena-hapt

students: $(READY)  ## the student within 8 kB beside feature classifiers on three sets, what a teacher adds, into results/ (hours)
	set -e; for file in results/students/*.toml; do \
	  $(BIN)/still study $$file --data $(RECORDINGS) --out out/students/$$(basename $$file .toml) --score-test; \
	done
	$(BIN)/python -m benchmarks.students out/students/* --out results/students

recipes: $(READY)  ## recipes for convolutions and features on the two sets that choose them, into results/ (hours)
	set -e; for name in wisdm-2019 simulated; do \
	  $(BIN)/still study results/hybrid-recipes/$$name.toml --data $(RECORDINGS) --out out/recipes/$$name --score-test; \
	done
	$(BIN)/python -m benchmarks.recipes out/recipes/* --out results/hybrid-recipes

SEQUENCES ?= hapt wisdm-2019 simulated
decoding: $(READY)  ## windows in a row on three sets, adaptation to a subject on two, into results/ (hours)
	set -e; for name in $(SEQUENCES); do out=out/decoding-$$name; figure=; \
	  if [ $$name = hapt ]; then figure="--figure docs/figures/bouts-hapt.svg"; fi; \
	  $(BIN)/still study results/decoding-$$name/spec.toml --data $(RECORDINGS) --out $$out --score-test; \
	  $(BIN)/python -m benchmarks.decoding $$out --out results/decoding-$$name $$figure; \
	done
	$(BIN)/still study results/adaptation-wisdm-2019/spec.toml --data $(RECORDINGS) --out out/adaptation-wisdm-2019
	$(BIN)/python -m benchmarks.adaptation out/adaptation-wisdm-2019 --data $(RECORDINGS) --out results/adaptation-wisdm-2019
	$(BIN)/python -m benchmarks.adaptation out/decoding-hapt --data $(RECORDINGS) --out results/adaptation-hapt

demo-results: demo  ## keep the demo's table and figure in results/ and docs/
	mkdir -p results/demo
	cp out/demo/study.toml out/demo/results.* results/demo
	cp out/demo/scores.svg docs/figures/demo.svg
	$(BIN)/python docs/make_gallery.py out/demo/models/best

SETS ?= hapt wisdm-2019
protocols: $(READY)  ## how much the random split flatters, into results/ (minutes; RECORDINGS holds hapt/ and wisdm-2019/)
	set -e; for name in $(SETS); do \
	  spec=results/protocols-$$name/spec.toml; out=out/protocols-$$name; \
	  $(BIN)/still study $$spec --data $(RECORDINGS) --out $$out --score-test; \
	  $(BIN)/still study $$spec --set split.protocol=published --data $(RECORDINGS) --out $$out-published --score-test; \
	  $(BIN)/still report $$out --beside $$out-published --json > results/protocols-$$name/beside.json; \
	done

figures: $(READY)  ## put the current figures into README and docs, from the files in results/
	$(BIN)/python docs/write_figures.py
	$(BIN)/python docs/make_forms.py

clean:  ## remove what was built; the environment stays
	rm -rf build dist out docs/_build docs/_generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
