# Short-cuts; each is what .ci/run or the README does.
PYTHON ?= .venv/bin/python

.PHONY: install test lint faults benchmarks studio lock

install:
	python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ".[dev]"

test:
	$(PYTHON) -m pytest

lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

faults:  ## the long form: kills many more processes
	ORCHESTRATION_FAULT_ROUNDS=30 $(PYTHON) -m pytest tests/faults
	ORCHESTRATION_REFERENCE_EXAMPLES=3000 $(PYTHON) -m pytest tests/unit/graph/test_reference.py --timeout 3600

benchmarks:
	for script in overhead approval fan_out makespan long_thread import_time routing pool_load optimizer compression retrieval streaming; do $(PYTHON) benchmarks/$$script.py; done

studio:
	.venv/bin/langgraph dev

lock:  ## versions only, no addresses
	.venv/bin/pip freeze --exclude-editable | grep -v " @ " > constraints.txt
