#!/usr/bin/env python3
"""Rules on the text of the sources: conditionals only where they belong, atomics only by base/atomic.h, files of a size that one reads
at a sitting, no work left for later, no code in comments, no path of somebody's machine."""
import re

import common

MAX_LINES = {".c": 450, ".cc": 450, ".h": 250}
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b[ \t]*(.*)$")
ATOMIC = re.compile(r"\b(__atomic_\w+|__sync_\w+|_Atomic\b|atomic_\w+[ \t]*\(|stdatomic\.h|std::atomic)")
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# A call, an assignment or a control statement that is all of a comment's line.
DEAD_CODE = re.compile(r"""[\w\->.\[\]]+\(.*\);$ | (\w+[ *]+){0,3}[\w\->.\[\]]+[ ][-+|&^]?=[ ][^=].*;$
                           | (if|for|while|switch)[ ]?\(.*\)[ ]?(\{|.*;)$ | return\b[^.:]*;$ | \}?[ ]?else[ ]?\{$""", re.VERBOSE)
MACHINE = re.compile(r"(?<![\w.$}/])/(home|root|work|Users)/\w")


def conditional_allowed(relative, text, word, rest):
    """Whether a conditional may stand in this file: everything in base/, os/ and gates/build.h; guards anywhere."""
    parts = relative.parts
    if parts[:2] in (("src", "base"), ("src", "os")) or relative.as_posix() == "src/gates/build.h":
        return True
    if word == "ifndef" and re.search(r"^#ifndef %s\n#define %s\b" % (re.escape(rest), re.escape(rest)), text, re.MULTILINE):
        return rest.endswith("_H") or relative.suffix == ".def"
    return parts[0] == "include" and word == "ifdef" and rest == "__cplusplus"


def check_conditionals(root, path, text):
    """#if outside its places. Each #else and #elif of a refused #if would only repeat it."""
    relative, code, problems = path.relative_to(root), common.code_of(text), []
    for number, row in enumerate(code.split("\n"), 1):
        match = CONDITIONAL.match(row)
        if match and match.group(1) not in ("else", "elif") and not conditional_allowed(relative, code, match.group(1), match.group(2).strip()):
            problems.append("%s #%s outside base/, os/ and gates/build.h" % (common.where(root, path, number), match.group(1)))
    return problems


def check_atomics(root, path, text):
    """Atomic operations that base/atomic.h does not name."""
    if path.relative_to(root).as_posix() == "src/base/atomic.h":
        return []
    return ["%s %s: atomics are those of base/atomic.h" % (common.where(root, path, n), match.group(1).strip())
            for n, row in enumerate(common.code_of(text).split("\n"), 1) for match in ATOMIC.finditer(row)]


def check_size(root, path, text):
    """Files too long to read at a sitting."""
    lines, most = text.count("\n"), MAX_LINES.get(path.suffix)
    return ["%s %d lines, at most %d" % (common.where(root, path), lines, most)] if most and lines > most else []


def check_comments(root, path, text):
    """Code in comments."""
    problems = []
    for line, comment in common.comments_of(text):
        for n, row in enumerate(comment.split("\n")):
            body = row.strip().lstrip("/*").rstrip("*/").strip()
            if DEAD_CODE.match(body):
                problems.append("%s commented-out code: %s" % (common.where(root, path, line + n), body))
    return problems


def check_words(root, path, text):
    """Work left for later, paths of one machine."""
    problems = []
    for n, row in enumerate(text.split("\n"), 1):
        if LATER.search(row):
            problems.append("%s %s" % (common.where(root, path, n), LATER.search(row).group(0)))
        if MACHINE.search(row):
            problems.append("%s a path of somebody's machine: %s" % (common.where(root, path, n), row.strip()[:80]))
    return problems


def check(root):
    """All problems of the tree."""
    problems = []
    for path in common.files(root, ("src", "include"), (".c", ".h", ".cc", ".def")):
        text = common.read(path)
        for rule in (check_conditionals, check_atomics, check_size):
            problems += rule(root, path, text)
    own = root / "tests" / "lint"
    for path in common.files(root, common.C_DIRS + ("cmake", "docs"), (".c", ".h", ".cc", ".py", ".sh", ".cmake", ".md", ".txt")):
        if path.parent == own:
            continue  # the rules and their planted violations
        text = common.read(path)
        problems += check_words(root, path, text)
        if path.suffix in (".c", ".h", ".cc"):
            problems += check_comments(root, path, text)
    return problems


if __name__ == "__main__":
    common.main(check)
