#!/usr/bin/env python3
"""Reruns the experiments of the decision records on libhakmem-variants.so: each is one switch, its two values side by side on the benches.
Instructions and branches an op are counted by callgrind (difference of one and three windows; exact, whatever else the machine does),
every thread's together; peak resident memory is the kernel's, the median of --runs runs.

    scripts/experiments.py                        every experiment, one table each; some 35 minutes on two processors
    scripts/experiments.py 030 --markdown         the table of docs/decisions/030
    scripts/experiments.py 031 -c mix             cases whose name begins with mix
    scripts/experiments.py --check                one small case each: do they run?
    scripts/experiments.py 020 -c mix400 --times 20s
                                                  times instead: `hakmem ab` for 20 s a case, on a quiet machine"""
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


def time_it(build, record, case, budget):
    """The comparison of a case's ns an op by `hakmem ab`: its figure of that measure, and the verdict."""
    gate, core, variant = EXPERIMENTS[record]
    bench, name, more = case
    # the kind of setting that the notes' names are: NAME=VALUE in the environment; ab finds the switch behind it and proves it
    done = subprocess.run([f"{build}/hakmem", "ab", "--lib", f"{build}/libhakmem-variants.so", "--set", f"{gate}={core}", "--vs", f"{gate}={variant}",
                           "--metric", 'ns_per_op":([0-9.]+)', "--lower", "--budget", budget, "--precision", "0.5", "--json", "-o", "/dev/null", "--",
                           f"{build}/bench_{bench}", "--json", "--only", name, *more], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3, 4):
        raise Failed(f"{record} {bench} {name}: hakmem ab ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
    got = json.loads(done.stdout)
    return next(m for m in got["measures"] if m["name"] == "metric") | {"word": got["verdict"]["word"], "load": got["machine"]["load"][0]}


def show_times(build, record, cases, budget):
    """One line a case, as the records have them."""
    gate, core, variant = EXPERIMENTS[record]
    print(f"{record}: {gate}={core} and {gate}={variant}, ns an op")
    for case in cases:
        m = time_it(build, record, case, budget)
        low, high = (f"{100 * m[x]:+.1f}" for x in ("low", "high"))
        print(f"  {case[0]} {' '.join((case[1], *case[2]))}: {m['a']:.2f} -> {m['b']:.2f} ns, {100 * m['change']:+.1f} % ({low} .. {high} %, "
              f"A/A {100 * m['spread']:.1f} %), {m['pairs']} pairs, load {m['load']:.1f}: {m['word']}", flush=True)


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
    parser.add_argument("--times", metavar="TIME", help="no counts: `hakmem ab` for so long a case (20s, 1m)")
    parser.add_argument("--check", action="store_true", help="one small case each: do they run?")
    args = parser.parse_args()
    unknown = [record for record in args.records if record not in EXPERIMENTS]
    cases = [case for case in CASES if case[1].startswith("pair-32" if args.check else args.case)]
    build = os.path.abspath(args.build)
    if unknown or not cases:
        parser.error(f"no experiment {unknown[0]}; there are {' '.join(EXPERIMENTS)}" if unknown else f"no case begins with {args.case}")
    if not os.path.exists(f"{build}/libhakmem-variants.so"):
        parser.error(f"{build} has no libhakmem-variants.so; build it (make), or name the build directory with --build")
    if not args.times and not shutil.which("valgrind"):
        print("skipped: valgrind is not installed", file=sys.stderr)
        sys.exit(77)
    try:
        for record in args.records or EXPERIMENTS:
            if args.times:
                show_times(build, record, cases, args.times)
            else:
                show(record, compare(build, record, cases, 1 if args.check else args.runs), args.markdown)
    except Failed as why:
        sys.exit(f"experiments.py: {why}")


if __name__ == "__main__":
    main()
