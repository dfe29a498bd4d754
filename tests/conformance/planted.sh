#!/bin/bash
# planted.sh LIBRARY DEFECT PROGRAM [ARGUMENTS...] : the program passes with libplanted as it is, and fails with the defect in it.
set -euo pipefail
library=$1 defect=$2
shift 2
if ! LD_PRELOAD=$library PLANTED=none "$@" >/dev/null; then
    echo "FAIL: $1 fails without a planted defect"
    exit 1
fi
if LD_PRELOAD=$library PLANTED=$defect "$@" >/dev/null 2>&1; then
    echo "FAIL: $1 does not see \"$defect\""
    exit 1
fi
echo "$1 sees \"$defect\""
