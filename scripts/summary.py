#!/usr/bin/env python3
"""Adds up the JUnit files that ctest left in a folder, names what failed or was skipped, and prints the summary as its last
line: `N passed, M failed`, with `, K skipped` when any were. summary.py FOLDER; exit status 1 when a test failed or none passed."""
import pathlib
import sys
import xml.etree.ElementTree as ET


def read(folder):
    """(passed, failed, skipped): lists of part/test."""
    passed, failed, skipped = [], [], []
    for path in sorted(folder.glob("*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            name = "%s: %s" % (path.stem, case.get("name"))
            if case.get("status") == "run" and case.find("failure") is None:
                passed.append(name)
            elif case.find("skipped") is not None and case.find("skipped").get("message", "").startswith("SKIP_"):
                skipped.append(name + reason(case))
            elif case.get("status") == "disabled":
                skipped.append(name)
            else:
                failed.append(name)
    failed += [line for path in sorted(folder.glob("*.failed")) for line in path.read_text().splitlines()]
    skipped += [line for path in sorted(folder.glob("*.skipped")) for line in path.read_text().splitlines()]
    return passed, failed, skipped


def reason(case):
    """The line in which a skipped test says why, if it does."""
    out = (case.findtext("system-out") or "").strip().splitlines()
    lines = [line for line in out if "skip" in line.lower()]
    return " (%s)" % lines[-1].strip() if lines else ""


def main():
    """Prints everything; returns the exit status."""
    passed, failed, skipped = read(pathlib.Path(sys.argv[1]))
    for word, names in (("skipped", skipped), ("FAILED", failed)):
        for name in names:
            print("%s  %s" % (word, name))
    line = "%d passed, %d failed" % (len(passed), len(failed))
    print(line + (", %d skipped" % len(skipped) if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
