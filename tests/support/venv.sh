#!/bin/sh
# Makes (or brings up to date) the virtual environment of the black-box checks and prints its Python.
# Folder: $SLUICEGATE_VENV, or .venv at the top of the work tree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${SLUICEGATE_VENV:-"$here/../../.venv"}
stamp="$venv/.installed-requirements"

if [ ! -x "$venv/bin/python" ]; then
    echo "venv: making $venv" >&2
    python3 -m venv "$venv" >&2 || {
        echo "venv: python3 -m venv failed; on Debian install python3-venv (apt-get install python3-venv)" >&2
        exit 1
    }
fi
if ! cmp -s "$here/requirements.txt" "$stamp"; then
    echo "venv: installing $(grep -c '==' "$here/requirements.txt") pinned packages from PyPI" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$stamp"
fi
echo "$venv/bin/python"
