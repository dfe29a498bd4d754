#!/usr/bin/env python3
"""Writes docs/OPTIONS.md from src/gates/gates.def. gen_options.py [--check]: with --check nothing is written, and the exit status is 1
when the page is not up to date."""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
Gate = collections.namedtuple("Gate", "name type choices default min max kind state box record text line")
Old = collections.namedtuple("Old", "name text line")
_ROW = re.compile(r"^(HAK_GATE|HAK_GATE_OLD)\(", re.MULTILINE)
_PART = re.compile(r'\s*("(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*|[^,()"]+)\s*(,|\))')
TYPE_WORDS = {"BOOL": "0 or 1", "UINT": "number", "SIZE": "bytes, suffix K M G", "MSEC": "milliseconds", "ENUM": ""}
KIND_WORDS = {"FOLDED": "at thread start", "COLD": "at start", "LIVE": "at start, and by hak_option_set()"}


def _arguments(text, at):
    """The arguments of the macro call whose parenthesis has just been opened at text[at - 1]."""
    parts = []
    while True:
        match = _PART.match(text, at)
        if not match:
            raise SystemExit("gates.def:%d: cannot be parsed" % (text.count("\n", 0, at) + 1))
        value = match.group(1).strip()
        if value.startswith('"'):
            value = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', value)).replace('\\"', '"')
        parts.append(value)
        at = match.end()
        if match.group(2) == ")":
            return parts


def parse(text):
    """(gates, old names) of the table's text."""
    code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.DOTALL)
    gates, old = [], []
    for match in _ROW.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        kind, parts = (Gate, gates) if match.group(1) == "HAK_GATE" else (Old, old)
        arguments = _arguments(code, match.end())
        if len(arguments) != len(kind._fields) - 1:
            raise SystemExit("gates.def:%d: %d columns, not %d" % (line, len(arguments), len(kind._fields) - 1))
        parts.append(kind(*arguments, line))
    return gates, old


def amount(value):
    """A number of bytes as one would type it."""
    n = int(value)
    for shift, suffix in ((30, "G"), (20, "M"), (10, "K")):
        if n and n % (1 << shift) == 0:
            return "%d%s" % (n >> shift, suffix)
    return str(n)


def value_of(gate, value):
    """A value as one would type it."""
    if gate.type == "ENUM":
        return gate.choices.split("|")[int(value)]
    return amount(value) if gate.type == "SIZE" else value


def range_of(gate):
    """What may be typed."""
    if gate.type == "ENUM":
        return ", ".join(gate.choices.split("|"))
    if gate.type == "BOOL":
        return TYPE_WORDS["BOOL"]
    return "%s..%s (%s)" % (value_of(gate, gate.min), value_of(gate, gate.max), TYPE_WORDS.get(gate.type, "?"))


def page(gates, old):
    """The text of docs/OPTIONS.md."""
    rows = ["# Options", "", "<!-- Made by scripts/gen_options.py from src/gates/gates.def; edit that. -->", "",
            "Set an option in the environment, `HAKMEM_<NAME>=value`, or several at once, `HAKMEM_CONF=\"name:value,name:value\"`; the",
            "single variable wins. Names are exact. An unknown name or a value out of range costs one warning line on stderr and leaves the",
            "default. Programs that run with raised privileges (AT_SECURE) ignore all of them. `hak_option_get()` reads any option by its",
            "lower-case name; `hak_option_set()` changes those that say so.", "",
            "| option | values | default | what it does | read | state | box | record |", "|---|---|---|---|---|---|---|---|"]
    for gate in gates:
        record = "[%s](decisions/)" % gate.record if gate.record else ""
        rows.append("| `HAKMEM_%s` | %s | %s | %s | %s | %s | %s | %s |" % (
            gate.name.upper(), range_of(gate), value_of(gate, gate.default), gate.text.replace("|", "\\|"), KIND_WORDS.get(gate.kind, gate.kind),
            gate.state.lower(), gate.box, record))
    if old:
        rows += ["", "## Names of earlier versions", "", "They are not read; setting one costs a warning line that names the successor.", "",
                 "| name | use instead |", "|---|---|"]
        rows += ["| `HAKMEM_%s` | %s |" % (row.name.upper(), row.text) for row in old]
    return "\n".join(rows) + "\n"


def main():
    """Returns the exit status."""
    text = page(*parse((ROOT / "src/gates/gates.def").read_text(encoding="utf-8")))
    target = ROOT / "docs/OPTIONS.md"
    same = target.exists() and target.read_text(encoding="utf-8") == text
    if "--check" in sys.argv[1:]:
        print("docs/OPTIONS.md is %s" % ("up to date" if same else "out of date: run scripts/gen_options.py"))
        return 0 if same else 1
    if not same:
        target.write_text(text, encoding="utf-8")
        print("wrote docs/OPTIONS.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
