#!/usr/bin/env bash
# The benches of build/release beside every allocator found, as one table of ratios: bench/run_benches.py. BENCH='frag,threads' selects some,
# BENCH_ARGS='--rounds 3 -c lifo' are further arguments (--help lists them), split at blanks.
set -euo pipefail
cd "$(dirname "$0")/.."
read -r -a args <<<"${BENCH_ARGS:-}"
exec python3 bench/run_benches.py --build build/release ${BENCH:+--benches "$BENCH"} "${args[@]}" "$@"
