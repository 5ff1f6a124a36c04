# Sourced by quickstart.sh, run_tests.sh and .ci/run: the virtual environment, made once and shared.
#
# Read from the environment, all optional:
#   MT5X_VENV     where the virtual environment is (default: .venv in the checkout)
#   MT5X_EXTRAS   the extras of setup.py to install into it (default: test)
#   PYTHON        the Python to make it with (default: python3.11)

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
VENV="${MT5X_VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$ROOT/$VENV" ;; esac

say() { printf '==> %s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# stage TITLE COMMAND...: runs the command and says how long it took.
stage() {
  local title="$1" start=$SECONDS
  shift
  say "$title"
  "$@"
  say "$title: done in $((SECONDS - start)) s"
}

# Whatever changes one of these must be installed again. The folder is one of them: an editable
# install points at it, so a checkout that was moved is installed anew.
_fingerprint() {
  { printf '%s\n' "$ROOT" "${MT5X_EXTRAS:-test}"; cat setup.py constraints.txt; } | cksum
}

_find_python() {
  local python="${PYTHON:-python3.11}"
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null ||
    fail "mt5x needs Python 3.11, and '$python' is not it: install Python 3.11" \
      "(on Debian and Ubuntu: python3.11 and python3.11-venv) or name yours, as in PYTHON=/path/to/python3.11"
  printf '%s' "$python"
}

_install() {
  local log="$VENV/install.log"
  # Compiled afterwards on all cores, which is faster than pip's own way.
  if ! "$VENV/bin/python" -m pip install --no-compile --constraint constraints.txt \
    --editable ".[${MT5X_EXTRAS:-test}]" >"$log" 2>&1; then
    grep -v '^WARNING' "$log" | tail -n 15 >&2
    fail "the packages could not be installed; the whole log is $log"
  fi
  "$VENV/bin/python" -m compileall -q -j 0 "$VENV/lib" >/dev/null 2>&1 || true
}

# Makes the environment where it is missing or older than setup.py, and puts it first in PATH.
ensure_environment() {
  local stamp="$VENV/mt5x_installed"
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$(_fingerprint)" ]; then
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
      local python
      python="$(_find_python)"
      say "making the virtual environment $VENV with $("$python" --version)"
      "$python" -m venv "$VENV" >&2 ||
        fail "'$python -m venv' failed: on Debian and Ubuntu install python3.11-venv"
    fi
    rm -f "$stamp"
    stage "installing mt5x and its packages (3 GB; a minute or two)" _install
    _fingerprint >"$stamp"
  fi
  export PATH="$VENV/bin:$PATH"
}
