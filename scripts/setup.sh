#!/bin/sh
# Builds or updates a virtual environment with everything that development needs, from the
# package registry alone. Usage: setup.sh VENV [EXTRA]
# It takes the first Python >= 3.11 that other users can execute and whose sqlite3 loads
# extensions. VENV/.ready marks one that is complete: an interrupted set-up is done anew.
set -eu
venv=$1
extra=${2:+[$2]}
lock=$venv.lock

say() { echo "hermes: $*" >&2; }

find_python() {
    for name in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name" 2>/dev/null) || continue
        path=$("$path" -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null) || continue
        case $path in /root/*) continue ;; esac
        "$path" - <<'PY' 2>/dev/null || continue
import sqlite3, sys, venv, ensurepip
assert sys.version_info >= (3, 11)
sqlite3.connect(":memory:").enable_load_extension(True)
PY
        echo "$path"
        return
    done
    say "no usable Python: need >= 3.11 with venv and loadable SQLite extensions."
    say "on Debian or Ubuntu: apt-get install python3-venv; on macOS: brew install python"
    return 4
}

# Two set-ups of one environment at once would break it; a dead one's lock is taken over.
until mkdir "$lock" 2>/dev/null; do
    other=$(cat "$lock/pid" 2>/dev/null || echo 0)
    if [ "$other" != 0 ] && ! kill -0 "$other" 2>/dev/null; then rm -rf "$lock"; else sleep 1; fi
done
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' HUP INT TERM
echo $$ >"$lock/pid"

if [ -f "$venv/.ready" ] && [ -x "$venv/bin/python" ]; then
    say "updating $venv"
else
    python=$(find_python)
    say "setting up $venv with $("$python" -V), about a minute"
    "$python" -m venv --clear "$venv"
fi
pip="$venv/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input"
$pip install --upgrade 'pip>=25.1'
$pip install --editable ".$extra" --group dev
touch "$venv/.ready"
