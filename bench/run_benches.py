#!/usr/bin/env python3
"""Runs the benches beside every allocator found on this machine and prints one table of ratios to glibc.

Allocators are interleaved case by case in random order, and glibc runs twice: the second column `glibc'` is the A/A
control, what no difference looks like on this machine now. A ratio within that spread is marked ~ and is none.
Times are the smallest of all rounds, memory is the median. Every run must prove which library served it.

    run_benches.py                                    everything, about 5 minutes
    run_benches.py -b frag,threads --rounds 5         two benches
    run_benches.py --lib new=/tmp/libx.so --lib thp=build/release/libhakmem.so,HAKMEM_THP=always
    run_benches.py --libs /tmp/peers/lib -a hakmem    those in a folder instead of the system's
    run_benches.py --callgrind -b comprehensive -c lifo   exact instructions and branches an op, no timing
    run_benches.py --smoke                            each bench once, tiny: do they run?
"""
import argparse
import glob
import json
import math
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONTROL = "glibc'"
PEERS = [("mimalloc", "libmimalloc.so*"), ("jemalloc", "libjemalloc.so*"), ("tcmalloc", "libtcmalloc_minimal.so*"),
         ("tcmalloc-full", "libtcmalloc.so*"), ("tbb", "libtbbmalloc_proxy.so*"), ("snmalloc", "libsnmallocshim*.so*"),
         ("rpmalloc", "librpmallocwrap.so*")]
# bench -> (arguments in a timed run, cases whose count by callgrind is worth its time; None: all, (): has no fixed work)
BENCHES = {
    "comprehensive": (["--milliseconds", "25"],
                      ("pair-32", "lifo-16", "lifo-64", "lifo-1000", "fifo-16", "fifo-64", "fifo-1000")),
    "random_mixed": (["--milliseconds", "60"], None),
    "bulk": (["--milliseconds", "100"], None),
    "calloc": (["--milliseconds", "60"], ("pair-64", "pair-1000", "slots-1024")),
    "realloc": (["--milliseconds", "60"], ("double", "append", "vectors", "shrink")),
    "walk": (["--milliseconds", "100", "--nodes", "300000"], ()),
    "larson": (["--milliseconds", "200"], ()),
    "frag": (["--wait", "1000"], ()),
    "threads": ([], ()),
    "prodcons": (["--milliseconds", "150"], ()),
    "startup": (["--runs", "40"], ()),
    "large": (["--milliseconds", "60", "--max", "256M"], ()),
}
METRICS = [("ns_per_op", "time an op"), ("instructions_per_op", "instructions an op"),
           ("branches_per_op", "branches an op"), ("peak_rss_kib", "peak resident memory (cases over 4 MiB under glibc)")]
DROPPED = re.compile(r"LD_PRELOAD$|HAKMEM_|MIMALLOC_|MALLOC_|JE_MALLOC|TCMALLOC_|GLIBC_TUNABLES$")


class Failed(Exception):
    """A run that gave no figures, and why."""


class Library:
    """An allocator: a name, the file to preload (None: the system's own) and variables for it."""

    def __init__(self, name, path, variables=None):
        self.name, self.path, self.variables = name, path and os.path.realpath(path), variables or {}

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not DROPPED.match(k)}
        if self.path:
            env["LD_PRELOAD"] = self.path
        env.update(self.variables)
        return env

    def served(self, allocator):
        return allocator == self.path if self.path else os.path.basename(allocator).startswith("libc")


def parse_library(text):
    name, equals, rest = text.partition("=")
    path, *variables = rest.split(",")
    if not equals or not name or not all("=" in v for v in variables):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH or NAME=PATH,VARIABLE=VALUE")
    if not os.path.isfile(path):
        raise argparse.ArgumentTypeError(f"{name}: there is no file {path}")
    return Library(name, path, dict(v.split("=", 1) for v in variables))


def find_libraries(build, extra, only):
    """glibc twice, hakmem from the build, the given ones, and the peers that the system installs."""
    found = [Library("glibc", None), Library(CONTROL, None)]
    ours = os.path.join(build, "libhakmem.so")
    if os.path.exists(ours):
        found.append(Library("hakmem", ours))
    found += extra
    folders = ["/usr/local/lib", "/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib"]
    for name, pattern in PEERS:
        files = [f for d in folders for f in sorted(glob.glob(os.path.join(d, pattern)), key=len)]
        if files and not any(library.name == name for library in found):
            found.append(Library(name, files[0]))
    if only:
        unknown = set(only) - {library.name for library in found}
        if unknown:
            sys.exit(f"no such allocator here: {', '.join(sorted(unknown))}; found {', '.join(l.name for l in found)}")
        keep = only + ["glibc", CONTROL] + [library.name for library in extra]
        found = [library for library in found if library.name in keep]
    return found


def run(library, command, timeout):
    """The JSON lines that a bench prints under a library, checked to have been served by it."""
    try:
        done = subprocess.run(command, env=library.environment(), capture_output=True, text=True, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"took over {timeout} s") from None
    if done.returncode:
        how = f"status {done.returncode}" if done.returncode > 0 else f"ended by {signal.Signals(-done.returncode).name}"
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("==")]  # valgrind's
        raise Failed(f"{how}: {said[-1] if said else 'no message'}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        if not library.served(line["allocator"]):
            raise Failed(f"was served by {line['allocator']}")
    if not lines:
        raise Failed("printed no figures")
    return lines, done.stderr


def cases_of(program, prefix):
    done = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.startswith(prefix)]


def count(library, program, case):
    """Instructions and branches an op by callgrind: the difference of one and three windows."""
    totals = []
    for windows in ("1", "3"):
        command = ["valgrind", "--tool=callgrind", "--branch-sim=yes", "--callgrind-out-file=/dev/null",
                   program, "--json", "--only", case, "--windows", windows]
        lines, errors = run(library, command, 600)
        collected = re.search(r"Collected : (.*)", errors)
        ir, bc, _, bi, _ = map(int, collected[1].split())
        totals.append((ir, bc + bi, lines[0]["all_ops"]))
    ops = totals[1][2] - totals[0][2]
    instructions, branches = ((totals[1][i] - totals[0][i]) / ops for i in range(2))
    return {"instructions_per_op": instructions, "branches_per_op": branches}


class Results:
    """Every sample, by bench, case and library; and what they say."""

    def __init__(self, libraries):
        self.names = [library.name for library in libraries]
        self.exact = False  # counts by callgrind: every difference is one
        self.samples, self.failures = {}, {}

    def add(self, key, library, line):
        self.samples.setdefault(key, {}).setdefault(library.name, []).append(line)

    def fail(self, key, library, why):
        self.failures[(key, library.name)] = why
        print(f"{' '.join(key)} under {library.name}: {why}", file=sys.stderr)

    def value(self, key, name, metric):
        """The smallest of the rounds; of memory the median. None where there is no figure."""
        values = [line.get(metric) for line in self.samples.get(key, {}).get(name, [])]
        if (key, name) in self.failures or not values or None in values:
            return None
        return statistics.median(values) if metric == "peak_rss_kib" else min(values)

    def ratio(self, key, name, metric):
        base, value = self.value(key, "glibc", metric), self.value(key, name, metric)
        return value / base if base and value else None

    def spread(self, metric):
        """What the A/A control says of a metric: three quarters of its cases differ by no more than this."""
        if self.exact:
            return 0.0
        off = sorted(abs(math.log(r)) for key in self.samples if (r := self.ratio(key, CONTROL, metric)))
        return max(off[(3 * len(off)) // 4] if off else 0.0, 0.005)

    def extras(self):
        rows = {}
        for key, by_name in self.samples.items():
            for name, lines in by_name.items():
                for extra in lines[0].get("extra", {}):
                    rows.setdefault(key + (extra,), {})[name] = statistics.median(line["extra"][extra] for line in lines)
        return rows


def print_rows(head, names, rows):
    width = max(len(row[0]) for row in rows)
    widths = [max(len(name), 8) for name in names]
    print(f"\n{head}\n{'':{width}}  " + "  ".join(f"{n:>{w}}" for n, w in zip(names, widths)))
    for row in rows:
        print(f"{row[0]:{width}}  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row[1:], widths)))


def print_metric(results, metric, title):
    """One block of ratios with its A/A spread; nothing if no run has the metric."""
    floor = 4096 if metric == "peak_rss_kib" else 0
    keys = [key for key in results.samples if (results.value(key, "glibc", metric) or 0) > floor]
    if not keys:
        return
    spread, rows, logs = results.spread(metric), [], {name: [] for name in results.names}
    for key in keys:
        own = results.ratio(key, CONTROL, metric)
        limit = max(spread, abs(math.log(own)) if own else 0)
        cells = [f"{results.value(key, 'glibc', metric):.5g}"]
        for name in results.names[1:]:
            ratio = results.ratio(key, name, metric)
            if ratio is None:
                cells.append("FAIL" if (key, name) in results.failures else "-")
                continue
            logs[name].append(math.log(ratio))
            cells.append(f"{ratio:.2f}" + ("~" if abs(math.log(ratio)) <= limit else " "))
        rows.append([" ".join(key)] + cells)
    mean = [f"{math.exp(statistics.mean(logs[n])):.3f}" if logs[n] else "-" for n in results.names[1:]]
    rows.append(["geometric mean", ""] + mean)
    unit = {"ns_per_op": "ns", "peak_rss_kib": "KiB"}.get(metric, "")
    control = "" if results.exact else f"; A/A spread {100 * (math.exp(spread) - 1):.1f} %"
    print_rows(f"{title}: glibc's{' in ' + unit if unit else ''}, then ratios to it{control}", results.names, rows)


def print_all(results):
    for metric, title in METRICS:
        print_metric(results, metric, title)
    extras = results.extras()
    if extras:
        rows = [[" ".join(key)] + [f"{row[n]:.4g}" if n in row else "-" for n in results.names]
                for key, row in extras.items()]
        print_rows("figures of their own (absolute)", results.names, rows)
    print("\nIn ratios smaller is better." + ("" if results.exact else " ~ within the A/A spread: no difference."))


def progress(text):
    """Overwrites one line of a terminal; nothing where stderr is not one."""
    if sys.stderr.isatty():
        print(f"\r{text:70}\r", end="", file=sys.stderr, flush=True)


def measure(work, libraries, results, rounds, budget):
    """Rounds over all cases, libraries interleaved in random order, until the rounds or the seconds are spent."""
    begun, rng = time.monotonic(), random.Random(1)

    def spent():
        return time.monotonic() - begun

    cases = 0
    for turn in range(rounds):
        if turn and spent() + spent() / turn > budget:
            break
        for key, command in work:
            if spent() > budget:
                break
            for library in rng.sample(libraries, len(libraries)):
                if (key, library.name) in results.failures:
                    continue
                try:
                    results.add(key, library, run(library, command, 120)[0][0])
                except Failed as why:
                    results.fail(key, library, str(why))
            cases += 1
            progress(f"round {turn + 1}, case {cases - turn * len(work)} of {len(work)}, {spent():.0f} s of {budget}")
    progress("")
    print(f"{cases / len(work):.3g} rounds of {len(work)} cases under {len(libraries)} allocators, {spent():.0f} s")
    if cases < len(work):
        missing = ", ".join(" ".join(key) for key, _ in work[cases:])
        print(f"the budget of {budget} s was too short for: {missing}", file=sys.stderr)


def measure_counts(work, libraries, results):
    """callgrind counts do not depend on the load: as many at once as there are processors."""
    jobs = [(key, command, library) for key, command in work for library in libraries if library.name != CONTROL]

    def one(job):
        key, command, library = job
        try:
            return key, library, count(library, command[0], key[1])
        except Failed as why:
            return key, library, str(why)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for i, (key, library, got) in enumerate(pool.map(one, jobs)):
            progress(f"count {i + 1} of {len(jobs)}")
            if isinstance(got, str):
                results.fail(key, library, got)
            else:
                results.add(key, library, got)


def plan(args):
    """[((bench, case), command)] of what the arguments ask for."""
    names = args.benches.split(",") if args.benches else list(BENCHES)
    work = []
    for name in names:
        name = name.removeprefix("bench_")
        program = os.path.join(args.build, "bench_" + name)
        if name not in BENCHES:
            sys.exit(f"there is no bench '{name}'; there are {', '.join(BENCHES)}")
        if not os.access(program, os.X_OK):
            sys.exit(f"{program} is not built: cmake --preset release && cmake --build --preset release")
        arguments, counted = BENCHES[name]
        for case in cases_of(program, args.case):
            if args.callgrind and counted is not None and case not in counted:
                continue
            small = ["--quick"] if args.smoke else arguments
            work.append(((name, case), [program, "--json", "--only", case] + small))
    if not work:
        counted = " and can be counted" if args.callgrind else ""
        sys.exit(f"no case of {', '.join(names)} begins with '{args.case}'{counted}")
    return work


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-b", "--benches", help=f"comma-separated: {','.join(BENCHES)}")
    parser.add_argument("-c", "--case", default="", help="only cases whose name begins so")
    parser.add_argument("-a", "--allocators", help="comma-separated names of those found; glibc is always there")
    parser.add_argument("--lib", action="append", default=[], type=parse_library, metavar="NAME=PATH[,VAR=VALUE]",
                        help="a further allocator, with variables for its environment")
    parser.add_argument("--libs", metavar="FOLDER", help="every NAME.so of a folder is a further allocator")
    parser.add_argument("--rounds", type=int, default=5, help="most rounds (5)")
    parser.add_argument("--budget", type=int, default=300,
                        help="seconds to spend (300); a round that would not end in time is not begun")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"),
                        help="folder of the benches and libhakmem.so")
    parser.add_argument("--callgrind", action="store_true", help="count instructions and branches by valgrind, do not time")
    parser.add_argument("--smoke", action="store_true",
                        help="each case once with tiny sizes under glibc and hakmem; no table")
    parser.add_argument("-o", "--output", help="write every sample to this JSON file")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    if args.callgrind and not shutil.which("valgrind"):
        parser.error("--callgrind needs valgrind: apt-get install valgrind")
    if args.libs:
        files = sorted(glob.glob(os.path.join(args.libs, "*.so")))
        if not files:
            parser.error(f"--libs: there is no *.so in {args.libs}")
        args.lib += [Library(os.path.splitext(os.path.basename(f))[0], f) for f in files]
    return args


def main():
    args = arguments()
    only = args.allocators.split(",") if args.allocators else ["hakmem"] if args.smoke else None
    if args.smoke and not os.path.exists(os.path.join(args.build, "libhakmem.so")):
        only = ["glibc"]
    libraries = find_libraries(args.build, args.lib, only)
    work = plan(args)
    results = Results(libraries)
    for library in libraries:
        if library.path:
            print(f"{library.name:10} {library.path} {' '.join('='.join(v) for v in library.variables.items())}")
    if args.callgrind:
        measure_counts(work, libraries, results)
        results.names.remove(CONTROL)
        results.exact = True
    else:
        measure(work, libraries, results, 1 if args.smoke else args.rounds, args.budget)
    if not args.smoke:
        print_all(results)
    if args.output:
        rows = [{"bench": k[0], "case": k[1], "allocator": n, "runs": v}
                for k, by in results.samples.items() for n, v in by.items()]
        failures = [{"bench": k[0], "case": k[1], "allocator": n, "why": why} for (k, n), why in results.failures.items()]
        with open(args.output, "w", encoding="utf-8") as file:
            json.dump({"runs": rows, "failures": failures}, file, indent=1)
    sys.exit(1 if any(name in ("hakmem", "glibc") for _, name in results.failures) else 0)


if __name__ == "__main__":
    main()
