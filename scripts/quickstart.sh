#!/usr/bin/env bash
# From a fresh clone to text: installs what is missing, builds the release, runs the model that comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

require_linux
install_missing "$BUILD_NEEDS"
make -j"$(nproc)" all
echo
./llm-run --echo models/demo "${1:-Once upon a time}"
