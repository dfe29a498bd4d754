#!/usr/bin/env python3
"""Golden counts of the allocator's fast paths: fails when one grows beyond what is pinned.

    golden.py static --lib libhakmem.so --golden hotpath_x86_64.txt
        Disassembles malloc and free and walks them from entry to ret, along branches that are not taken: a hot path
        that is laid out straight. Instructions and conditional branches.
    golden.py hit --lib libhakmem.so --program ops --golden hotpath_x86_64.txt
        The same two by execution: callgrind's cost of the calls in a loop that only hits, difference of two lengths.
    golden.py ops --lib libhakmem.so --program ops --golden ops_x86_64.txt
        Instructions and branches of malloc and free, an op, in the loops of ops.c.

A golden file holds `name max_instructions max_branches`, # begins a comment. An endbr64 at the entry, which some
distributions' compilers add, is not counted. Exit status: 0 within the pins, 1 above one, 2 nothing could be
counted, 77 a tool is missing.
"""
import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

CALLGRIND = ["valgrind", "--tool=callgrind", "--branch-sim=yes", "--compress-strings=no", "--compress-pos=no"]


def read_golden(path):
    """{name: (instructions, branches)} of a golden file."""
    pins = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 3:
                die(f"{path}:{number}: not `name max_instructions max_branches`: {line.strip()}")
            pins[words[0]] = (float(words[1]), float(words[2]))
    return pins


def die(text):
    """Ends with status 2: not a count that grew, but a test that could not be made."""
    print(text, file=sys.stderr)
    sys.exit(2)


def need(tool):
    if not shutil.which(tool):
        print(f"skipped: {tool} is not installed")
        sys.exit(77)


def output_of(command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def disassemble(lib, symbol):
    """The instructions [(address, mnemonic, operands, line)] of one exported function."""
    for line in output_of(["nm", "-D", "-S", "--defined-only", lib]).splitlines():
        words = line.split()
        if len(words) == 4 and words[3].split("@")[0] == symbol:
            start, size = int(words[0], 16), int(words[1], 16)
            break
    else:
        die(f"{lib} exports no {symbol}")
    text = output_of(["objdump", "-d", "--no-show-raw-insn", f"--start-address={start}",
                      f"--stop-address={start + size}", lib])
    code = []
    for line in text.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(?:(?:bnd|notrack) )?(\S+)\s*(.*)", line)
        if match:
            code.append((int(match[1], 16), match[2], match[3], line.rstrip()))
    return code


def walk(code):
    """Follows code from its entry to a ret without taking a branch.

    Returns (instructions, branches, path, end): end is "ret", or says how the path left the function.
    """
    at = {instruction[0]: i for i, instruction in enumerate(code)}
    i, path, branches = 0, [], 0
    while i < len(code):
        address, name, operands, line = code[i]
        if len(path) > len(code):
            return len(path), branches, path, "a loop"
        if name == "endbr64" or name.startswith("nop"):
            i += 1
            continue
        path.append(line)
        if name.startswith("ret"):
            return len(path), branches, path, "ret"
        if name.startswith("call"):
            return len(path), branches, path, f"a call ({operands})"
        if name == "jmp":
            target = re.match(r"([0-9a-f]+)\b", operands)
            if not target or int(target[1], 16) not in at:
                return len(path), branches, path, f"a jump out ({operands})"
            i = at[int(target[1], 16)]
            continue
        branches += name.startswith("j")
        i += 1
    return len(path), branches, path, "the end of the function"


def callgrind(program, arguments, lib):
    """Runs program under callgrind with lib. Returns (its stdout, [(function, called, (instructions, branches))]).

    called: the cost is that of a call which the function makes, all inclusive; otherwise the function's own.
    """
    need("valgrind")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")}
    environment["LD_PRELOAD"] = os.path.abspath(lib)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        done = subprocess.run(CALLGRIND + [f"--callgrind-out-file={out}", program] + arguments, env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            die(f"{program} {' '.join(arguments)} under callgrind: status {done.returncode}\n{done.stderr}")
        with open(out, encoding="utf-8", errors="replace") as file:
            return done.stdout, list(costs(file))


def costs(lines):
    """Parses callgrind's profile format (valgrind manual, "Callgrind Format Specification")."""
    function, events, called = None, [], False
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            called = True
        elif line[:1] and line[:1] in "0123456789+-*":
            values = dict(zip(events, map(int, line.split()[1:])))
            yield function, called, (values.get("Ir", 0), values.get("Bc", 0) + values.get("Bi", 0))
            called = False


def per_op(program, loop, rounds, lib, callers):
    """Instructions and branches an op of a loop in ops.c, in all that the callers call.

    The difference of one length and three. By calls and not by object, so that it does not need the library's symbols.
    """
    sums, ops = [], []
    for n in (rounds, 3 * rounds):
        text, rows = callgrind(program, [loop, str(n)], lib)
        words = text.split()
        if os.path.realpath(words[3]) != os.path.realpath(lib):
            die(f"{program} was served by {words[3]}, not by {lib}")
        chosen = [cost for function, called, cost in rows if called and function in callers]
        if not chosen:
            die(f"callgrind saw no call from {' or '.join(callers)}")
        sums.append([sum(column) for column in zip(*chosen)])
        ops.append(int(words[1]))
    return [(after - before) / (ops[1] - ops[0]) for before, after in zip(*sums)]


def judge(name, got, pin):
    """Prints one line; says whether got is within pin. A thousandth is forgiven: it is a refill in a long run."""
    bad = [what for what, value, most in zip(("instructions", "branches"), got, pin) if value > most + 0.001]
    verdict = "GREW: " + ", ".join(bad) if bad else "ok"
    if not bad and got[0] < pin[0] - 0.5:
        verdict = "ok, and less than pinned: lower the pin"
    print(f"{name:10} {got[0]:7.2f} instructions (pinned {pin[0]:g})  {got[1]:6.2f} branches (pinned {pin[1]:g})  "
          f"{verdict}")
    return not bad


def check_static(args, pins):
    need("objdump")
    good = True
    for name, pin in pins.items():
        count, branches, path, end = walk(disassemble(args.lib, name))
        ok = judge(name, (count, branches), pin)
        if end != "ret":
            print(f"{name}: the path without taken branches ends with {end}, not with ret")
            ok = False
        if not ok or args.verbose:
            print("\n".join(path))
        good = good and ok
    return good


def check_hit(args, pins):
    good = True
    for name, pin in pins.items():
        # Half of the ops are this call.
        got = [2 * value for value in per_op(args.program, "lifo100", 200, args.lib, ["call_" + name])]
        if disassemble(args.lib, name)[0][1] == "endbr64":
            got[0] -= 1
        if not judge(name, got, pin):
            good = False
            print("\n".join(line for _, _, _, line in disassemble(args.lib, name)))
    return good


def check_ops(args, pins):
    good = True
    for name, pin in pins.items():
        got = per_op(args.program, name, 20000 if name == "pair32" else 200, args.lib, ["call_malloc", "call_memalign", "call_free"])
        good = judge(name, got, pin) and good
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["static", "hit", "ops"])
    parser.add_argument("--lib", required=True, help="path of libhakmem.so")
    parser.add_argument("--program", help="the program of ops.c")
    parser.add_argument("--golden", required=True, help="file of pinned counts")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the path also when it is within its pin")
    args = parser.parse_args()
    if platform.machine() != "x86_64":
        print(f"skipped: the pins are of x86_64, this is {platform.machine()}")
        sys.exit(77)
    if not os.path.exists(args.lib):
        die(f"{args.lib} does not exist: build it first")
    if args.what != "static" and not args.program:
        parser.error(f"{args.what} needs --program")
    pins = read_golden(args.golden)
    if not pins:
        die(f"{args.golden} pins nothing")
    good = {"static": check_static, "hit": check_hit, "ops": check_ops}[args.what](args, pins)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
