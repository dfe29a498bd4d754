#!/usr/bin/env python3
"""clang-tidy, with clang's warnings, over our C sources as the build in --build compiles them (.clang-tidy says which checks)."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile

import common

SKIP_TARGETS = re.compile(r"hak_core_(fault|prefix)|_static\.dir")  # the same sources again
CHECKED = ("src", "tools", "bench", "scripts")  # tests are compiled with all warnings as errors
# The analyser's default budget, 225,000 nodes a function, costs 14 s on some files; a tenth finds the planted defects in 1.4 s.
BUDGET = [word for flag in ("-analyzer-config", "max-nodes=20000") for word in ("--extra-arg=-Xclang", "--extra-arg=" + flag)]
PATIENCE = 120
GCC_ONLY = re.compile(r" -fcallgraph\S*| -Wno-maybe-uninitialized")


def entries(root, build):
    """One compile command for each C file of ours."""
    chosen = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        ours = root in path.parents and path.relative_to(root).parts[0] in CHECKED
        if path.suffix == ".c" and ours and build not in path.parents and path not in chosen:
            if not SKIP_TARGETS.search(entry.get("command", "") + entry.get("output", "")):
                entry["command"] = GCC_ONLY.sub("", entry["command"])
                chosen[path] = entry
    return chosen


def tidy(database, root, path):
    """Problems of one file."""
    try:
        run = subprocess.run(["clang-tidy", "--quiet", *BUDGET, "-p", database, str(path)], cwd=root, capture_output=True, text=True,
                             check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return ["%s clang-tidy took over %d s" % (common.where(root, path), PATIENCE)]
    found = [row.replace(str(root) + "/", "", 1) for row in run.stdout.splitlines() if re.search(r": (warning|error): ", row)]
    if run.returncode and not found:
        found = ["%s clang-tidy failed: %s" % (common.where(root, path), (run.stderr.strip().splitlines() or [""])[-1])]
    return found


def check(root, build=None, only=None):
    """All problems; only: a part of the path, to look at some files."""
    chosen = entries(root, pathlib.Path(build or root / "build" / "release").resolve())
    if not chosen:
        return ["no compile commands: is the build configured?"]
    if only:
        chosen = {path: entry for path, entry in chosen.items() if only in str(path)}
    problems = set()
    with tempfile.TemporaryDirectory() as database:
        pathlib.Path(database, "compile_commands.json").write_text(json.dumps(list(chosen.values())))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for found in pool.map(lambda path: tidy(database, root, path), chosen):
                problems.update(found)
    return sorted(problems)


if __name__ == "__main__":
    common.main(check, build="the build directory with compile_commands.json", only="only paths that contain this")
