#!/usr/bin/env bash
# Builds the library and runs a real program under it beside libc: CMD='python3 script.py' ROUNDS=5 run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release hakmem hak_launch
exec python3 scripts/run.py --rounds "${ROUNDS:-5}" --library "$PWD/build/release/libhakmem.so.1" \
    --launcher "$PWD/build/release/hak_launch" ${CMD:+--command "$CMD"}
