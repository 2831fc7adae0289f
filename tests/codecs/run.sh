#!/bin/sh
# Checks the Xpress and Cabinet codecs against programs that others wrote: dissect.util's decoder,
# cabextract, gcab. Needs the virtual environment of tests/support and cabextract; gcab is optional.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet -p sluicegate-soap --example xpress --example cabinet
python=$(sh tests/support/venv.sh)
exec "$python" -m pytest -q -p no:cacheprovider tests/codecs
