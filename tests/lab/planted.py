#!/usr/bin/env python3
"""Does `hakmem ab` find what is there, and nothing else? On a quiet machine:

    HAK_BUILD=build/release tests/lab/planted.py              about 20 minutes
    HAK_BUILD=build/release tests/lab/planted.py --short      about 3 minutes
    HAK_BUILD=build/release tests/lab/planted.py time split   parts of it: instructions time split aa aa-instructions

Plants a regression of 3 % in instructions and one of 10 % in time and looks for NO-GO, and in time for the 10 %; plants known shares of the gap to libc and
looks for them; then compares identical libraries again and again (20 times) and looks for anything but NO DIFFERENCE DETECTED. Prints each
run and ends with status 1 when one is wrong.
"""
import argparse
import json
import os
import subprocess
import sys

from ab_common import TOOL, WORK, lab

SAME = lab("planted_same.so")


TURNS = 300  # of the chain in each op of ab_work_prog
SPLIT = {"layout": (18000000, False), "door": (30, True), "allocator": (60, True)}  # split_planted_time.so: turns; in each malloc?
SLACK = 0.004  # what a share may be off its interval: the call itself, the probe


def compare(what, *arguments, work=60000):
    """Runs one comparison; returns its record."""
    done = subprocess.run([TOOL, "ab", *what, "--json", *map(str, arguments), "--", WORK, str(work)], capture_output=True, text=True)
    if done.returncode not in (0, 3, 4):
        sys.exit(f"hakmem ab ended with {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    return json.loads(done.stdout)


def libs(a, b):
    return "--lib", f"{a},{b}"


def measure(d, name):
    return next(m for m in d["measures"] if m["name"] == name)


def tell(what, d, wanted, truth=None):
    """Prints a comparison; is its verdict the wanted one, and its interval where the truth is?"""
    verdict = d["verdict"]
    m = measure(d, verdict["measure"])
    good = verdict["word"] == wanted and (truth is None or m["low"] - SLACK <= truth <= m["high"] + SLACK)
    text = "" if truth is None else f" (planted {truth * 100:+.2f} %)"
    print(f"{'ok    ' if good else 'WRONG '} {what}{text}: {verdict['word']} on {m['name']}: {m['change'] * 100:+.2f} % ({m['low'] * 100:+.2f} .. {m['high'] * 100:+.2f} %), "
          f"p {m['p']:.4f}, A/A {m['spread'] * 100:.2f} %, {m['pairs']} pairs", flush=True)
    return good


def ns_per_op(*ways):
    """Nanoseconds that the program itself says an op of so many turns takes under a library, for each (turns, library): the least of fifteen runs in turn."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(15):
        for turns, library in ways:
            out = subprocess.run([WORK, "50000", str(turns)], capture_output=True, text=True, env=dict(os.environ, LD_PRELOAD=library)).stdout
            least[turns, library] = min(least[turns, library], float(out.rsplit("ns: ", 1)[1]))
    return [least[way] for way in ways]


def planted_time(time):
    """10 % in each op; how much it is on this machine, the program's own clock says."""
    work, same, slow = 400000, SAME, lab("planted_time.so")
    less, more = ns_per_op((TURNS, same), (TURNS, slow))
    truth = more / less - 1
    d = compare(libs(same, slow), *time, work=work)
    start = 1 - measure(d, "inside")["a"] / measure(d, "wall")["a"]
    print(f"       start and end are {start * 100:.1f} % of the wall time", flush=True)
    return [tell("planted time", d, "NO-GO", truth), tell("the same, taken away again", compare(libs(slow, same), *time, work=work), "GO", 1 / (1 + truth) - 1)]


def planted_split(time):
    work = 200000
    less, more = ns_per_op((TURNS // 3, ""), (TURNS, ""))
    turn = (more - less) / (TURNS - TURNS // 3)
    d = compare(("--lib", lab("split_planted_time.so"), "--libc"), *time, work=work)
    good = []
    for part, (turns, each) in SPLIT.items():
        m = d["gap"][part]
        truth = turns * turn * 1e-9 * (work if each else 1) / m["a"]
        good.append(m["low"] - SLACK <= truth <= m["high"] + SLACK)
        print(f"{'ok    ' if good[-1] else 'WRONG '} the gap's {part}, planted {truth * 100:+.2f} %: {m['change'] * 100:+.2f} % ({m['low'] * 100:+.2f} .. {m['high'] * 100:+.2f} %), "
              f"{m['pairs']} pairs", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="instructions, time, split, aa, aa-instructions (all)")
    parser.add_argument("--short", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--runs", type=int, help="A/A runs (20; 4 with --short)")
    parser.add_argument("--budget", type=float, help="seconds for one comparison of times (30; 10 with --short)")
    parser.add_argument("--primary", default="wall", help="the measure of time (wall)")
    parser.add_argument("--cpu", help="pin the runs to that processor")
    args = parser.parse_args()
    runs = args.runs if args.runs is not None else 4 if args.short else 20
    time = ["--budget", args.budget or (10 if args.short else 30), "--primary", args.primary]
    time += ["--cpu", args.cpu] if args.cpu else []
    parts = {
        "instructions": lambda: [tell("planted 3 % of instructions", compare(libs(SAME, lab("planted_instructions.so")), "--count-only", work=10000), "NO-GO", 0.03)],
        "time": lambda: planted_time(time),
        "split": lambda: planted_split(time),
        "aa": lambda: [tell(f"A/A {i + 1}", compare(libs(SAME, SAME), *time), "NO DIFFERENCE DETECTED") for i in range(runs)],
        "aa-instructions": lambda: [tell(f"A/A of instructions {i + 1}", compare(libs(SAME, SAME), "--count-only", work=3000), "NO DIFFERENCE DETECTED")
                                    for i in range(runs if args.short else 3)],
    }
    unknown = [part for part in args.parts if part not in parts]
    if unknown:
        parser.error(f"no part {unknown[0]}; there are {' '.join(parts)}")
    good = [one for part in args.parts or parts for one in parts[part]()]
    print(f"{sum(good)} of {len(good)} as they should be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
