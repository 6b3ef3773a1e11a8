# shellcheck shell=bash
# Sourced by the other scripts, from the top of the repository: makes .venv what the lock files say, and only when they changed.
#
#   environment run    what `kspanpy` needs, and the project itself
#   environment dev    that and the tools of the developers
#
# Needs Python >= 3.11 with pip; PYTHON=/path/to/python chooses one.

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  echo "kspanpy needs Python 3.11 or newer; there is none on the PATH (PYTHON=/path/to/python chooses one)" >&2
  return 1
}

make_venv() {
  local python
  python=$(find_python) || return 1
  echo "making .venv with $("$python" --version)" >&2
  # A Python without ensurepip (Debian's, without python3-venv) can still lend its pip.
  "$python" -m venv --clear .venv >/dev/null 2>&1 || {
    "$python" -m venv --clear --without-pip .venv && "$python" -m pip --python .venv/bin/python install --quiet pip
  }
}

environment() {
  local locks=(requirements.lock requirements-build.lock) wanted stamp=.venv/.locked
  [ "$1" = dev ] && locks+=(requirements-dev.lock)
  [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || make_venv || return 1
  # The path is part of the stamp: a virtual environment does not survive a move.
  wanted=$(cat requirements*.lock pyproject.toml <(echo "$PWD") | cksum)
  case "$(cat "$stamp" 2>/dev/null)" in "$wanted $1" | "$wanted dev") return ;; esac
  echo "installing the locked dependencies into .venv (once)" >&2
  local pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check install)
  "${pip[@]}" --require-hashes "${locks[@]/#/--requirement=}" &&
    "${pip[@]}" --no-deps --no-build-isolation --editable . &&
    echo "$wanted $1" >"$stamp"
}
