#!/bin/sh
# Builds the virtual environment with the first Python >= 3.11 that other users can
# execute and whose sqlite3 loads extensions. Usage: setup.sh VENV
set -eu
venv=$1
if [ ! -x "$venv/bin/python" ]; then
    found=
    for name in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name" 2>/dev/null) || continue
        path=$("$path" -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null) || continue
        case $path in /root/*) continue ;; esac
        "$path" - <<'PY' 2>/dev/null || continue
import sqlite3, sys, venv, ensurepip
assert sys.version_info >= (3, 11)
sqlite3.connect(":memory:").enable_load_extension(True)
PY
        found=$path
        break
    done
    if [ -z "$found" ]; then
        echo "hermes: no usable Python: need >= 3.11 with venv and loadable SQLite extensions." >&2
        echo "hermes: on Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 4
    fi
    "$found" -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable . --group dev
