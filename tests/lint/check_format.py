#!/usr/bin/env python3
"""Form: C and C++ as clang-format has it, shell scripts that parse and stop at errors, Python that compiles, text in UTF-8 with Unix line
ends, no trailing blanks, a newline at the end."""
import ast
import os
import re
import subprocess

import common

TEXT = (".c", ".h", ".cc", ".def", ".py", ".sh", ".cmake", ".md", ".txt", ".json", ".in", ".map")


def check_clang_format(root, paths):
    """One line for each file that clang-format would change."""
    problems = []
    for start in range(0, len(paths), 50):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, paths[start:start + 50])], cwd=root, capture_output=True, text=True, check=False)
        changed = {}
        for match in re.finditer(r"^(.+?):(\d+):\d+: error: code should be clang-formatted", run.stderr, re.MULTILINE):
            changed.setdefault(os.path.relpath(match.group(1), root), int(match.group(2)))
        problems += ["%s:%d: not as clang-format has it (make format)" % item for item in changed.items()]
        if run.returncode and not changed:
            problems.append("clang-format: " + (run.stderr.strip().splitlines() or ["failed"])[0])
    return problems


def check_text(root, path):
    """Encoding, line ends, blanks."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return ["%s not UTF-8: %s" % (common.where(root, path), error)]
    problems = []
    if "\r" in text:
        problems.append(common.where(root, path) + " has carriage returns")
    if text and not text.endswith("\n"):
        problems.append(common.where(root, path) + " no newline at the end")
    for n, row in enumerate(text.split("\n"), 1):
        if row != row.rstrip(" \t"):
            problems.append(common.where(root, path, n) + " blanks at the end of the line")
        if path.suffix in (".py", ".sh") and "\t" in row:
            problems.append(common.where(root, path, n) + " a tab")
    return problems


def check_script(root, path):
    """A shell script's syntax and safety line, a Python file's syntax."""
    if path.suffix == ".py":
        try:
            ast.parse(common.read(path), filename=str(path), feature_version=(3, 9))
        except SyntaxError as error:
            return ["%s %s" % (common.where(root, path, error.lineno), error.msg)]
        return []
    problems = []
    run = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    if run.returncode:
        problems.append("%s %s" % (common.where(root, path), run.stderr.strip()))
    if not re.search(r"^set -e?uo pipefail$", common.read(path), re.MULTILINE):
        problems.append(common.where(root, path) + " no `set -euo pipefail`")
    return problems


def check(root):
    """All problems of the tree."""
    problems = check_clang_format(root, common.files(root, common.C_DIRS, (".c", ".h", ".cc")))
    for path in common.files(root, common.C_DIRS + ("cmake", "docs"), TEXT):
        problems += check_text(root, path)
    for path in common.files(root, common.C_DIRS, (".sh", ".py")) + [root / ".ci" / "run"]:
        if path.exists():
            problems += check_script(root, path)
    return problems


if __name__ == "__main__":
    common.main(check)
