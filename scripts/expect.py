#!/usr/bin/env python3
"""Runs a command and compares how it ended: expect.py [--signal ABRT] [--exit N] [--stderr REGEX] -- COMMAND...

Without --signal and --exit the status must be 0. The regex is searched in the whole of stderr, line by line anchors. An exit
status of 77 (skipped) is passed on. Prints what differed."""
import argparse
import os
import re
import signal
import subprocess
import sys


def main():
    """Returns the exit status: 0 as expected, 1 not, 77 skipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signal", help="name without SIG")
    parser.add_argument("--exit", type=int, default=0)
    parser.add_argument("--stderr", help="Python regex")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = run.stderr.decode(errors="replace")
    sys.stderr.write(text)
    if run.returncode == 77:
        return 77
    want = args.exit
    if args.signal:
        want = -getattr(signal, "SIG" + args.signal)
        # env and qemu may hand a signal on as 128 + n
        if run.returncode == 128 - want:
            want = run.returncode
    if run.returncode != want:
        print("expected status %d, got %d" % (want, run.returncode))
        return 1
    if args.stderr and not re.search(args.stderr, text, re.MULTILINE):
        print("stderr does not match %r" % args.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
