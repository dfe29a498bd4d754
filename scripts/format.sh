#!/usr/bin/env bash
# Formats every C and C++ file of ours.
set -euo pipefail
cd "$(dirname "$0")/.."
find include src tests tools bench scripts -name '*.[ch]' -o -name '*.cc' | xargs clang-format -i
