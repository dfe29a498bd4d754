#!/usr/bin/env python3
"""A directory of src/ is a layer. Fails on an include that the table does not allow, on a .c that includes a .c, on a run-time gate
in hot/, and on a header that does not compile alone."""
import concurrent.futures
import os
import re
import subprocess

import common

PUBLIC = "hakmem/hakmem.h"
# What each layer may include: layers, or single headers. Its own files always.
MAY = {
    "base": (),
    "gates": ("base",),
    "layout": ("base", "gates/build.h"),
    "os": ("base", "gates"),
    "hot": ("base", "gates/build.h", "layout"),
    "cold": ("base", "gates", "layout", "os", "hot/cold_entry.h"),
    "diag": ("base", "gates", "layout", "os", "cold", PUBLIC),
    "api": ("base", "gates", "layout", "hot", "cold", "diag", PUBLIC),
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, form, name) of each include directive."""
    code = common.code_of(text)
    return [(code.count("\n", 0, m.start()) + 1, m.group(1), m.group(2)) for m in INCLUDE.finditer(code)]


def allowed(layer, name):
    """Whether a file of the layer may include the header."""
    return name.split("/")[0] == layer or any(name == may or name.startswith(may + "/") for may in MAY[layer])


def check_file(root, path):
    """Problems of one source file's includes."""
    layer, text = path.relative_to(root / "src").parts[0], common.read(path)
    problems = []
    if layer not in MAY:
        return [common.where(root, path) + " not in a layer: the directories of src/ are " + " ".join(MAY)]
    for line, form, name in includes(text):
        at = common.where(root, path, line)
        ours = form == '"' or name.split("/")[0] in MAY and (root / "src" / name).exists() or name.startswith("hakmem/")
        if not ours:
            continue
        if name.endswith((".c", ".cc")):
            problems.append("%s includes a source file, %s" % (at, name))
        elif "/" not in name:
            problems.append('%s "%s": say the layer, as in "%s/%s"' % (at, name, layer, name))
        elif not allowed(layer, name):
            problems.append("%s %s may not include %s (it may: %s)" % (at, layer, name, ", ".join(MAY[layer]) or "nothing of ours"))
    if layer == "hot":
        for n, row in enumerate(common.code_of(text).split("\n"), 1):
            if re.search(r"\bhak_gates\w*|\bgetenv\b", row):
                problems.append(common.where(root, path, n) + " a run-time gate on the hot path")
    return problems


def compile_alone(root, path):
    """Problems of compiling one header with nothing before it."""
    compiler = os.environ.get("CC", "gcc")
    ways = [["-x", "c", "-std=gnu11"]] + ([["-x", "c++", "-std=c++17"]] if "include" in path.relative_to(root).parts[:1] else [])
    problems = []
    for way in ways:
        run = subprocess.run([compiler, "-fsyntax-only", "-D_GNU_SOURCE", "-I", str(root / "src"), "-I", str(root / "include"), *way, str(path)],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            first = next((row for row in run.stderr.splitlines() if "error" in row), run.stderr[:200])
            problems.append("%s does not compile alone (%s): %s" % (common.where(root, path), way[1], first))
    return problems


def check(root):
    """All problems of the tree."""
    problems = []
    for path in common.files(root, ("src",), (".c", ".h", ".cc", ".def")):
        problems += check_file(root, path)
    headers = common.files(root, ("src", "include"), (".h",))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda path: compile_alone(root, path), headers):
            problems += found
    return problems


if __name__ == "__main__":
    common.main(check)
