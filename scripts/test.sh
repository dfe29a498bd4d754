#!/usr/bin/env bash
# Everything that is checked. test.sh [lint] [PRESET...]; without arguments all of: release (all tests, lint included), dev,
# asan, tsan, aarch64 under qemu, musl. The last line of output is the summary over all of them: N passed, M failed, K skipped.
set -uo pipefail
cd "$(dirname "$0")/.."

wanted=("$@")
((${#wanted[@]})) || wanted=(release dev asan tsan aarch64 musl)
results=$PWD/build/results
rm -rf "$results"
mkdir -p "$results"
jobs=${JOBS:-$(nproc)}
export JOBS=$jobs PYTHONDONTWRITEBYTECODE=1

# What a part needs beyond the compiler; prints what is missing.
needs() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || {
            echo "$tool is not installed"
            return 1
        }
    done
}

# part NAME PRESET CTEST-ARGS...: builds, tests, and leaves NAME.xml; a build that fails counts as one failed test more.
part() {
    local name=$1 preset=$2 began=$SECONDS
    shift 2
    printf '\n== %s\n' "$name"
    if ! KEEP_GOING=1 scripts/build.sh "$preset"; then
        echo "$name/build: the build failed" | tee "$results/$name.failed"
        [[ -f build/$preset/CTestTestfile.cmake ]] || return
    fi
    ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=ignore \
        --output-junit "$results/$name.xml" "$@" </dev/null
    [[ -s $results/$name.xml ]] || echo "$name/ctest: no result" | tee -a "$results/$name.failed"
    echo "$name took $((SECONDS - began)) s"
}

skip() { echo "$1: skipped: $2" | tee "$results/$1.skipped"; }

for w in "${wanted[@]}"; do
    case $w in
    lint) part lint release -L '^lint$' ;;
    release) part release release ;;
    dev) part dev dev -L '^(unit|stress|misuse)$' ;;
    asan | tsan) part "$w" "$w" -L '^(unit|stress)$' ;;
    aarch64)
        if [[ $(uname -m) == aarch64 ]]; then
            skip aarch64 "this machine is one: the release tests ran on it"
        elif why=$(needs qemu-aarch64 aarch64-linux-gnu-gcc); then
            scripts/aarch64_sysroot.sh >"$results/sysroot.log" 2>&1 || tail -n 5 "$results/sysroot.log"
            part aarch64 aarch64 -L '^(unit|conformance)$'
        else
            skip aarch64 "$why"
        fi
        ;;
    musl)
        if why=$(needs musl-gcc); then
            part musl musl -L '^conformance$'
        else
            skip musl "$why"
        fi
        ;;
    *)
        echo "test.sh: no part \"$w\"" >&2
        exit 2
        ;;
    esac
done
echo
exec python3 scripts/summary.py "$results"
