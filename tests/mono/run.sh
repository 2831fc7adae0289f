#!/bin/sh
# Runs the checks with the classic .NET SOAP stack. Needs mono-devel (Debian: apt-get install mono-devel).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
exec "$("$top/tests/support/venv.sh")" -m pytest -q tests/mono "$@"
