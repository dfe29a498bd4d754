#!/usr/bin/env bash
# Runs every bench_* of build/release, one after the other, each beside the allocators it finds. BENCH='pattern' selects some.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
for bench in build/release/bench_${BENCH:-*}; do
    [[ -x $bench && ! -d $bench ]] || continue
    echo "== $(basename "$bench")"
    "$bench" ${BENCH_ARGS:-} </dev/null || { echo "$(basename "$bench"): status $?" >&2; failed=1; }
done
exit $failed
