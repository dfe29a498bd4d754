#!/usr/bin/env python3
"""Reruns the experiments of the decision records on libhakmem-variants.so: each is one switch, its two values side by side on the benches.
Instructions and branches an op are counted by callgrind (difference of one and three windows; exact, whatever else the machine does),
every thread's together; peak resident memory is the kernel's, the median of --runs runs.

    scripts/experiments.py                        every experiment, one table each; some 35 minutes on two processors
    scripts/experiments.py 030 --markdown         the table of docs/decisions/030
    scripts/experiments.py 031 -c mix             cases whose name begins with mix
    scripts/experiments.py --check                one small case each: do they run?
For times, and for a verdict: hakmem ab --lib BUILD/libhakmem-variants.so --gate deferred_free=0,1 -- BUILD/bench_random_mixed ..."""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# record -> (environment variable, value that is the core, value that is the variant)
EXPERIMENTS = {
    "020": ("HAKMEM_FASTLANE_DIRECT", "1", "0"),
    "021": ("HAKMEM_WRAP_TINY", "0", "1"),
    "022-call": ("HAKMEM_INLINE_FRONT", "core", "call"),
    "022-wrapper": ("HAKMEM_INLINE_FRONT", "core", "wrapper"),
    "023": ("HAKMEM_HEADER_BYTE", "0", "1"),
    "024": ("HAKMEM_TINY_USE_SUPERSLAB", "1", "0"),
    "025-tls": ("HAKMEM_GATE_SNAPSHOT", "none", "tls"),
    "025-reads": ("HAKMEM_GATE_SNAPSHOT", "none", "reads"),
    "026-all": ("HAKMEM_OP_COUNTERS", "none", "all"),
    "026-sampled": ("HAKMEM_OP_COUNTERS", "none", "sampled"),
    "027-static": ("HAKMEM_ROUTE_TABLE", "none", "static"),
    "027-tls": ("HAKMEM_ROUTE_TABLE", "none", "tls"),
    "030": ("HAKMEM_DEFERRED_FREE", "0", "1"),
    "031": ("HAKMEM_BACKGROUND_REFILL", "0", "1"),
    "032": ("HAKMEM_HYBRID", "0", "1"),
}
# bench, case, further arguments
CASES = [
    ("comprehensive", "pair-32", []), ("comprehensive", "lifo-64", []), ("comprehensive", "fifo-64", []),
    ("comprehensive", "interleaved-mixed", []),
    ("random_mixed", "mix400", []), ("random_mixed", "mix10k", []), ("random_mixed", "mix1k-large", []),
    ("random_mixed", "own", ["--slots=100", "--min=1M", "--max=2M"]),
    ("bulk", "in-order", []), ("bulk", "random", []),
    ("larson", "server", ["--threads=2"]),
]
COUNTED = re.compile(r"Collected : (\d+) (\d+) \d+ (\d+)")


class Failed(Exception):
    """A run that gave no figures, and why."""


def run(build, setting, case, windows, count):
    """(instructions, branches, ops, peak KiB) of one run of a case; the first two are 0 without count."""
    bench, name, more = case
    command = [f"{build}/bench_{bench}", "--json", "--only", name, "--windows", str(windows), *more]
    if count:
        command = ["valgrind", "--tool=callgrind", "--branch-sim=yes", "--callgrind-out-file=/dev/null", *command]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HAKMEM_", "LD_PRELOAD"))}
    env |= {"LC_ALL": "C", "LD_PRELOAD": f"{build}/libhakmem-variants.so", setting[0]: setting[1]}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    collected = COUNTED.search(done.stderr)
    if done.returncode or (count and not collected):
        raise Failed(f"{bench} {name} {setting[0]}={setting[1]}: status {done.returncode}: {done.stderr[-300:]}")
    line = json.loads(done.stdout)
    if os.path.basename(line["allocator"]) != "libhakmem-variants.so":
        raise Failed(f"{bench} {name}: served by {line['allocator']}")
    ir, bc, bi = map(int, collected.groups()) if collected else (0, 0, 0)
    return ir, bc + bi, line["all_ops"], line["peak_rss_kib"]


def measure(build, setting, case, runs):
    """(instructions an op, branches an op, peak KiB) of a case under a setting."""
    one, three = (run(build, setting, case, windows, True) for windows in (1, 3))
    ops = three[2] - one[2]
    peak = statistics.median(run(build, setting, case, 3, False)[3] for _ in range(runs))
    return (three[0] - one[0]) / ops, (three[1] - one[1]) / ops, peak


def compare(build, record, cases, runs):
    """[(case, figures of the core, figures of the variant)]"""
    gate, core, variant = EXPERIMENTS[record]
    jobs = [(gate, value) for _ in cases for value in (core, variant)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        got = list(pool.map(lambda job: measure(build, job[1], cases[job[0] // 2], runs), enumerate(jobs)))
    return [(case, got[2 * i], got[2 * i + 1]) for i, case in enumerate(cases)]


def change(a, b):
    """b against a, in per cent."""
    return f"{100 * (b / a - 1):+.1f} %" if a else "-"


def show(record, rows, markdown):
    """The table of one experiment."""
    gate, core, variant = EXPERIMENTS[record]
    heads = ("case", f"instructions, {core}", variant, "", f"branches, {core}", variant, "", f"peak KiB, {core}", variant, "")
    table = [heads]
    for (bench, name, more), a, b in rows:
        cells = [" ".join((bench, *([] if name == "own" else [name]), *more))]
        for x, y, form in zip(a, b, ("%.1f", "%.2f", "%.0f")):
            cells += [form % x, form % y, change(x, y)]
        table.append(tuple(cells))
    print(f"{record}: {gate}={core} and {gate}={variant}, an op")
    if markdown:
        table.insert(1, ("---",) * len(heads))
        print("\n".join("| " + " | ".join(row) + " |" for row in table))
    else:
        width = [max(len(row[i]) for row in table) for i in range(len(heads))]
        print("\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, width)).rstrip() for row in table))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="*", metavar="RECORD", help="numbers of decision records (all): " + " ".join(EXPERIMENTS))
    parser.add_argument("-c", "--case", default="", help="only cases whose name begins with this")
    parser.add_argument("--build", default=f"{ROOT}/build/release", help="build directory (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs for the memory (%(default)s)")
    parser.add_argument("--markdown", action="store_true", help="tables as the records have them")
    parser.add_argument("--check", action="store_true", help="one small case each: do they run?")
    args = parser.parse_args()
    unknown = [record for record in args.records if record not in EXPERIMENTS]
    cases = [case for case in CASES if case[1].startswith("pair-32" if args.check else args.case)]
    build = os.path.abspath(args.build)
    if unknown or not cases:
        parser.error(f"no experiment {unknown[0]}; there are {' '.join(EXPERIMENTS)}" if unknown else f"no case begins with {args.case}")
    if not os.path.exists(f"{build}/libhakmem-variants.so"):
        parser.error(f"{build} has no libhakmem-variants.so; build it (make), or name the build directory with --build")
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed", file=sys.stderr)
        sys.exit(77)
    try:
        for record in args.records or EXPERIMENTS:
            show(record, compare(build, record, cases, 1 if args.check else args.runs), args.markdown)
    except Failed as why:
        sys.exit(f"experiments.py: {why}")


if __name__ == "__main__":
    main()
