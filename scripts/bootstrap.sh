#!/usr/bin/env bash
# Installs the Debian packages of scripts/packages.txt that are missing: bootstrap.sh run|test
# As root it installs them; otherwise it names them with the command and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

set_wanted=${1:-run}
case $set_wanted in
run) sets=run ;;
test) sets='run|test' ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    for tool in cc cmake make python3; do
        if ! command -v "$tool" >/dev/null; then
            echo "bootstrap: this is not Debian; install \"$tool\" (and see scripts/packages.txt for the rest)" >&2
            exit 1
        fi
    done
    exit 0
fi

arch=$(dpkg --print-architecture)
missing=()
while read -r set_name package _; do
    [[ $set_name =~ ^($sets)$ ]] || continue
    if [[ $package == *@* ]]; then
        [[ ${package#*@} == "$arch" ]] || continue
        package=${package%@*}
    fi
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
        missing+=("$package")
    fi
done < <(grep -v '^ *#' scripts/packages.txt)

if ((${#missing[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)); then
    echo "bootstrap: these packages are missing; install them and run this again:" >&2
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "bootstrap: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
install=("${apt[@]}" install -y --no-install-recommends)
# The lists may be missing (fresh image) or old; update only when the plain attempt does not do.
if ! "${install[@]}" "${missing[@]}" </dev/null >/tmp/hakmem-bootstrap.$$ 2>&1; then
    "${apt[@]}" update </dev/null
    if ! "${install[@]}" "${missing[@]}" </dev/null; then
        # One name that this release does not have must not keep the others away; what needs it is skipped with a word.
        for package in "${missing[@]}"; do
            "${install[@]}" "$package" </dev/null || echo "bootstrap: $package could not be installed" >&2
        done
    fi
fi
rm -f /tmp/hakmem-bootstrap.$$
for tool in cc cmake make python3; do
    command -v "$tool" >/dev/null || {
        echo "bootstrap: \"$tool\" is still missing" >&2
        exit 1
    }
done
