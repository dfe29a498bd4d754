#!/usr/bin/env python3
"""Links programs statically with libhakmem.a and proves that libc's malloc.o stays out of them and that they run.

Each source asks for another part of what malloc.o defines, so that each object of the library is the first to be taken once.
It also links without the library, which the checks must refuse: a test that cannot fail is none."""

import argparse
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def build(compiler, source, library, work):
    """Compiles and links one program; returns its path and the linker's map."""
    program = work / source.stem
    mapping = work / (source.stem + ".map")
    command = compiler.split() + ["-O1", "-fno-builtin", "-static", "-pthread", str(source)]
    command += [library] if library else []
    command += ["-o", str(program), f"-Wl,-Map,{mapping}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{source.name}: does not link:\n{done.stderr}")
    return program, mapping.read_text(errors="replace")


def problems(program, mapping):
    """What is wrong with a linked program, as text; empty if nothing is."""
    if re.search(r"libc\.a\(malloc\.o\)", mapping):
        return "libc's malloc.o was linked"
    symbols = subprocess.run(["nm", str(program)], capture_output=True, text=True, check=True).stdout
    for name in ("_int_malloc", "_int_free", "ptmalloc_init"):
        if re.search(rf" [tT] {name}$", symbols, re.M):
            return f"{name} is in the program"
    if not re.search(r" [tT] hak_malloc_cold$", symbols, re.M):
        return "hakmem is not in the program"
    run = subprocess.run([str(program)], capture_output=True, text=True, timeout=60)
    if run.returncode or run.stdout.strip() != "ok":
        return f"ended with {run.returncode}: {run.stdout}{run.stderr}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cc", required=True)
    parser.add_argument("--cxx", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    probe = arguments.work / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if subprocess.run(arguments.cc.split() + ["-static", str(probe), "-o", str(arguments.work / "probe")], capture_output=True).returncode:
        print("skipped: there is no static libc")
        return 77
    program, mapping = build(arguments.cc, FOLDER / "family.c", None, arguments.work)
    if not problems(program, mapping):
        sys.exit("family.c: linked without the library, and nothing was found wrong")
    bad = 0
    for source in sorted(FOLDER.glob("*.c")) + sorted(FOLDER.glob("*.cc")):
        compiler = arguments.cc if source.suffix == ".c" else arguments.cxx
        what = problems(*build(compiler, source, arguments.library, arguments.work))
        print(f"{source.name}: {what or 'ok'}")
        bad += bool(what)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
