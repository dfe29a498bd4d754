#!/usr/bin/env python3
"""Does `hakmem ab` find what is there, and nothing else? On a quiet machine:

    HAK_BUILD=build/release tests/lab/planted.py              about 20 minutes
    HAK_BUILD=build/release tests/lab/planted.py --short      about 2 minutes

Plants a regression of 3 % in instructions and one of 10 % in time and looks for NO-GO; then compares identical libraries again and again (20 times)
and looks for anything but NO DIFFERENCE DETECTED. Prints each run and ends with status 1 when one is wrong.
"""
import argparse
import json
import subprocess
import sys

from ab_common import TOOL, WORK, lab

SAME = lab("planted_same.so")


def compare(libraries, *arguments, work=60000):
    """Runs one comparison; returns its record."""
    done = subprocess.run([TOOL, "ab", "--lib", libraries, "--json", *map(str, arguments), "--", WORK, str(work)], capture_output=True, text=True)
    if done.returncode not in (0, 3, 4):
        sys.exit(f"hakmem ab ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def tell(what, d, wanted):
    verdict = d["verdict"]
    m = next(m for m in d["measures"] if m["name"] == verdict["measure"])
    good = verdict["word"] == wanted
    print(f"{'ok    ' if good else 'WRONG '} {what}: {verdict['word']} on {m['name']}: {m['change'] * 100:+.2f} % ({m['low'] * 100:+.2f} .. {m['high'] * 100:+.2f} %), "
          f"p {m['p']:.4f}, A/A {m['spread'] * 100:.2f} %, {m['pairs']} pairs", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--runs", type=int, help="A/A runs (20; 4 with --short)")
    parser.add_argument("--budget", type=float, help="seconds for one comparison of times (30; 10 with --short)")
    parser.add_argument("--primary", default="wall", help="the measure of time (wall)")
    parser.add_argument("--cpu", help="pin the runs to that processor")
    args = parser.parse_args()
    runs = args.runs if args.runs is not None else 4 if args.short else 20
    time = ["--budget", args.budget or (10 if args.short else 30), "--primary", args.primary]
    time += ["--cpu", args.cpu] if args.cpu else []
    good = [tell("planted 3 % of instructions", compare(f"{SAME},{lab('planted_instructions.so')}", "--count-only", work=10000), "NO-GO"),
            tell("planted 10 % of time", compare(f"{SAME},{lab('planted_time.so')}", *time), "NO-GO"),
            tell("the same, taken away again", compare(f"{lab('planted_time.so')},{SAME}", *time), "GO")]
    for i in range(runs):
        good.append(tell(f"A/A {i + 1}", compare(f"{SAME},{SAME}", *time), "NO DIFFERENCE DETECTED"))
    for i in range(runs if args.short else 3):
        good.append(tell(f"A/A of instructions {i + 1}", compare(f"{SAME},{SAME}", "--count-only", work=3000), "NO DIFFERENCE DETECTED"))
    print(f"{sum(good)} of {len(good)} as they should be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
