#!/bin/bash
# valgrind.sh PROGRAM LIBRARY : memcheck starts and reports no error, without the library, with it preloaded, and with it named as
# the malloc that memcheck should replace.
set -euo pipefail
program=$1 library=$2
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 77
fi
run() {
    timeout 240 valgrind -q --error-exitcode=99 --exit-on-first-error=no --leak-check=no "$@"
}
run "$program"
echo "without the library: fine"
LD_PRELOAD=$library HAK_TEST_EXPECT=hakmem run --trace-children=no "$program"
echo "preloaded: fine"
LD_PRELOAD=$library HAK_TEST_EXPECT=hakmem run '--soname-synonyms=somalloc=*hakmem*' "$program"
echo "preloaded and replaced: fine"
LD_PRELOAD=$library HAK_TEST_EXPECT=hakmem timeout 240 valgrind -q --tool=none "$program"
echo "without memcheck: fine"
