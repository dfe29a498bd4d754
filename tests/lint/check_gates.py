#!/usr/bin/env python3
"""The gate table, src/gates/gates.def: each gate is read somewhere outside gates/, names an existing decision record where its state asks
for one, and a trial ends: its record carries `expires: YYYY-MM-DD`, and that day has not passed. docs/OPTIONS.md is what
scripts/gen_options.py makes of the table."""
import datetime
import importlib.util
import pathlib
import re

import common

TYPES = ("BOOL", "UINT", "SIZE", "MSEC", "ENUM")
KINDS = ("FOLDED", "COLD", "LIVE")
STATES = ("TRIAL", "ON", "SETTLED")


def load_generator():
    """scripts/gen_options.py as a module; its parser of gates.def is the only one."""
    path = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "gen_options.py"
    spec = importlib.util.spec_from_file_location("gen_options", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record_file(root, record):
    """docs/decisions/<record>*.md, or None."""
    found = sorted((root / "docs" / "decisions").glob(record + "*.md")) if record else []
    return found[0] if found else None


def check_trial(root, gate, today):
    """A trial that has no end or whose end has passed."""
    if gate.default != "0":
        return ["default is %s; a trial is off by default" % gate.default]
    path = record_file(root, gate.record)
    if not path:
        return ["a trial must name its decision record"]
    match = re.search(r"^expires: (\d{4}-\d{2}-\d{2})\s*$", common.read(path), re.MULTILINE)
    if not match:
        return ["its record %s has no line \"expires: YYYY-MM-DD\"" % path.name]
    if datetime.date.fromisoformat(match.group(1)) < today:
        return ["the trial expired on %s: settle the gate or delete it with its loser (%s)" % (match.group(1), path.name)]
    return []


def check_row(root, gate, sources, today):
    """Problems of one gate."""
    problems = []
    for field, words in (("type", TYPES), ("kind", KINDS), ("state", STATES)):
        if getattr(gate, field) not in words:
            problems.append("%s is %s; it may be %s" % (field, getattr(gate, field), " ".join(words)))
    if gate.type == "ENUM" and len(gate.choices.split("|")) != int(gate.max) + 1:
        problems.append("max is %s but there are %d choices" % (gate.max, len(gate.choices.split("|"))))
    if gate.default.isdigit() and not int(gate.min) <= int(gate.default) <= int(gate.max):
        problems.append("the default %s is not in %s..%s" % (gate.default, gate.min, gate.max))
    if not any(re.search(r"\bhak_gates(_page\.value)?\.%s\b" % gate.name, text) for text in sources):
        problems.append("nothing outside src/gates reads it (hak_gates.%s)" % gate.name)
    if gate.record and not record_file(root, gate.record):
        problems.append("its record docs/decisions/%s*.md does not exist" % gate.record)
    if gate.state == "ON" and not gate.record:
        problems.append("state ON, but no decision record says why")
    if gate.state == "TRIAL":
        problems += check_trial(root, gate, today)
    return problems


def check(root, today=None):
    """All problems of the table and the page made of it."""
    generator = load_generator()
    table = root / "src" / "gates" / "gates.def"
    gates, old = generator.parse(common.read(table))
    sources = [common.code_of(common.read(path)) for path in common.files(root, ("src",), (".c", ".h", ".cc"))
               if path.parent.name != "gates"]
    problems = []
    for gate in gates:
        at = common.where(root, table, gate.line)
        problems += ["%s gate %s: %s" % (at, gate.name, text) for text in check_row(root, gate, sources, today or datetime.date.today())]
    names = [gate.name for gate in gates] + [row.name for row in old]
    problems += ["%s gate %s: listed twice" % (common.where(root, table), name) for name in sorted(set(names)) if names.count(name) > 1]
    page = root / "docs" / "OPTIONS.md"
    if not page.exists() or common.read(page) != generator.page(gates, old):
        problems.append("docs/OPTIONS.md: not what scripts/gen_options.py makes of gates.def; run it")
    return problems


if __name__ == "__main__":
    common.main(check)
