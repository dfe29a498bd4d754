#!/usr/bin/env python3
"""Runs one program under libc and under hakmem, interleaved, and prints wall time, peak RSS and proof of who served it."""
import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile


def demo():
    """(environment, command) of the default program: the system's python3, with its own small-block allocator off."""
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")
    return ["PYTHONMALLOC=malloc"], [python, script]


def split(command):
    """(environment, words) of a user's command line; leading NAME=VALUE words are environment."""
    words = shlex.split(command)
    env = []
    while words and "=" in words[0] and words[0].split("=")[0].isidentifier():
        env.append(words.pop(0))
    if not words:
        sys.exit("run: the command is empty")
    if not shutil.which(words[0]):
        sys.exit("run: %s: not found" % words[0])
    return env, words


def measure(args, env, command, hakmem, show):
    """Runs the command once; returns the launcher's report. The program's output is shown in the first run only."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        line = [args.launcher, "-o", report.name]
        for pair in env:
            line += ["-e", pair]
        if hakmem:
            line += ["-p", args.library]
        environ = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        out = None if show else subprocess.DEVNULL
        run = subprocess.run(line + ["--"] + command, stdin=subprocess.DEVNULL, stdout=out, stderr=None if show else out,
                             env=environ, check=False)
        try:
            result = json.load(open(report.name, encoding="utf-8"))
        except ValueError:
            sys.exit("run: the launcher failed with status %d" % run.returncode)
    return result


def column(results, key):
    """The median of one figure."""
    return statistics.median(r[key] for r in results)


def table(libc, hakmem):
    """Prints both columns and their ratio."""
    print("\n%-22s %12s %12s %9s" % ("median of %d" % len(libc), "libc", "hakmem", "ratio"))
    for name, key, scale in (("wall, ms", "wall_ms", 1), ("cpu, ms", "cpu_ms", 1), ("peak RSS, MB", "peak_kb", 1 / 1024),
                             ("page faults", "faults", 1)):
        a, b = column(libc, key) * scale, column(hakmem, key) * scale
        digits = 0 if key == "faults" else 1
        print("%-22s %12.*f %12.*f %9s" % (name, digits, a, digits, b, "%.2f" % (b / a) if a else "-"))
    spread = [100 * (max(r["wall_ms"] for r in rs) / min(r["wall_ms"] for r in rs) - 1) for rs in (libc, hakmem)]
    print("%-22s %11.0f%% %11.0f%%" % ("wall, max over min", *spread))


def proof(hakmem, libc):
    """Prints who was served, from the processes' own memory maps; returns whether hakmem served each of its runs."""
    total, served = sum(r["processes"] for r in hakmem), sum(r["served"] for r in hakmem)
    when = "at their end" if hakmem[0]["how"] == "exit" else "while they ran"
    if served:
        print("proof: %d of %d processes had %s mapped %s (/proc/PID/maps)" % (served, total, hakmem[-1]["mapped"], when))
        if served < total:
            print("       the others are static or setuid, or cleared their environment: libc served them")
    else:
        print("proof: NONE of the %d processes had the library mapped: a static or setuid program? libc served it" % total)
    return all(r["served"] for r in hakmem) and not any(r["served"] for r in libc)


def main():
    """Returns the exit status: 0, the program's own status, or 3 when hakmem did not serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--library", required=True)
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--command", help="the program, as typed in a shell; default: scripts/demo.py")
    args = parser.parse_args()
    env, command = split(args.command) if args.command else demo()
    print("running: %s" % " ".join(map(shlex.quote, env + command)))
    print("libc and hakmem in turn, %d rounds; the program's output is shown once" % args.rounds, flush=True)
    runs = {False: [], True: []}
    for i in range(max(1, args.rounds)):
        for hakmem in (i % 2 == 1, i % 2 == 0):
            result = measure(args, env, command, hakmem, i == 0 and hakmem)
            runs[hakmem].append(result)
            if result["exit"]:
                print("the program ended with status %d under %s" % (result["exit"], "hakmem" if hakmem else "libc"))
                if hakmem and not any(r["exit"] for r in runs[False]):
                    return 1
    table(runs[False], runs[True])
    return (0 if proof(runs[True], runs[False]) else 3) or max(r["exit"] for r in runs[True])


if __name__ == "__main__":
    sys.exit(main())
