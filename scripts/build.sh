#!/usr/bin/env bash
# Configures and builds one preset quietly: build.sh PRESET [TARGET...]. Shows the whole log when it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:?usage: build.sh PRESET [TARGET...]}
shift
args=(--build --preset "$preset" -j "${JOBS:-$(nproc)}")
(($# == 0)) || args+=(--target "$@")
[[ -z ${KEEP_GOING:-} ]] || args+=(-- -k) # what does compile is tested even if something does not
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "building $preset in build/$preset"
if ! { cmake --preset "$preset" && cmake "${args[@]}"; } >"$log" 2>&1 </dev/null; then
    grep -n -m 20 -A 6 -E 'error|Error|\*\*\*' "$log" >&2 || true
    echo "the last lines of the log:" >&2
    tail -n 30 "$log" >&2
    exit 1
fi
grep -E 'warning:|CMake Warning' -A 3 "$log" || true
