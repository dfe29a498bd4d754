"""What the checks share: finding files, reading C without comments, reporting. A check is a program check_X.py with a function
check(root, ...) that returns a list of problems, "path:line: text"; run by hand: check_X.py [--root DIR]."""
import argparse
import pathlib
import re
import sys

C_DIRS = ("include", "src", "tests", "tools", "bench", "scripts")
# Comments, or literals (kept): the alternatives are tried at each place in turn.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def files(root, dirs, suffixes):
    """The files under root/<dir> with one of the suffixes, sorted; build outputs and caches are not ours."""
    found = []
    for name in dirs:
        for path in sorted((root / name).rglob("*")):
            if path.suffix in suffixes and path.is_file() and "__pycache__" not in path.parts:
                found.append(path)
    return found


def read(path):
    """The text; bytes that are not UTF-8 are a problem that check_format reports."""
    return path.read_text(encoding="utf-8", errors="replace")


def code_of(text):
    """The text with comments blanked and literals kept; lines keep their numbers."""
    def blank(match):
        token = match.group(0)
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return _TOKEN.sub(blank, text)


def comments_of(text):
    """(line number, comment) of each comment."""
    return [(text.count("\n", 0, m.start()) + 1, m.group(0)) for m in _TOKEN.finditer(text) if m.group(0).startswith("/")]


def where(root, path, line=None):
    """path:line: as compilers print it."""
    name = path.relative_to(root)
    return "%s:%d:" % (name, line) if line else "%s:" % name


def main(check, **more):
    """Runs a check on the command line; more: further options as name=help."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    for name, text in more.items():
        parser.add_argument("--" + name, help=text)
    args = vars(parser.parse_args())
    problems = check(args.pop("root").resolve(), **args)
    for line in problems:
        print(line)
    print("%d problems" % len(problems))
    sys.exit(1 if problems else 0)
