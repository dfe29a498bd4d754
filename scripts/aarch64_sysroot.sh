#!/usr/bin/env bash
# Puts Debian's arm64 build of cmocka into build/sysroot-aarch64, for the unit tests of the aarch64 preset. Uses apt with lists
# and state of its own there: the machine's package database is neither read for arm64 nor changed.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD/build/sysroot-aarch64
if [[ -e $root/usr/lib/aarch64-linux-gnu/libcmocka.so ]]; then
    exit 0
fi
mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/deb"
: >"$root/apt/status"
apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State=$root/apt"
    -o "Dir::State::lists=$root/apt/lists" -o "Dir::State::status=$root/apt/status" -o "Dir::Cache=$root/apt/cache"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root)
# Only the distribution's own sources: third parties' often have no arm64.
sources=$(find /etc/apt -name '*.sources' -o -name 'sources.list' -o -name '*.list' | xargs -r grep -l 'debian.org\|ubuntu.com' || true)
mkdir -p "$root/apt/parts"
for file in $sources; do
    [[ $(basename "$file") == sources.list ]] && cp "$file" "$root/apt/parts/main.list" || cp "$file" "$root/apt/parts/"
done
apt+=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$root/apt/parts")
"${apt[@]}" update </dev/null
(cd "$root/deb" && "${apt[@]}" download libcmocka0 libcmocka-dev </dev/null)
for deb in "$root"/deb/*.deb; do
    dpkg-deb -x "$deb" "$root"
done
rm -rf "$root/apt" "$root/deb"
