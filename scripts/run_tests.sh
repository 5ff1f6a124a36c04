#!/usr/bin/env bash
# Runs the tests in the project's virtual environment, which it makes first where there is none.
#
#   bash scripts/run_tests.sh                       every test but the slow ones
#   bash scripts/run_tests.sh tests/tasks -k panx   arguments go to pytest
#   bash scripts/run_tests.sh -m slow               the slow ones; CI runs both
#   bash scripts/run_tests.sh -m exhaustive         more of them, hours: before a release

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
ensure_environment

# One process a file, two at a time: more only compete, for JAX itself runs on several cores. The
# order is that of tests/conftest.py, and not by how many tests a file has.
exec python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
