#!/usr/bin/env python3
"""libhakmem-variants.so: mechanism.py LIBHAKMEM LIBHAKMEM_VARIANTS. The core behind its switch costs not one instruction more than in
libhakmem.so; a front does; and a switch that is not in force ends the process or is refused."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

CORE, VARIANTS = sys.argv[1:3]
TABLE = pathlib.Path(__file__).resolve().parents[2] / "bench" / "variants" / "fronts.h"
FRONTS = re.findall(r'F\(arg, +(\w+), +(\w+), +"(\w+)"', TABLE.read_text(encoding="utf-8"))
BUILD = os.path.dirname(VARIANTS)
OPS = os.path.join(BUILD, "tests", "golden", "ops")
TOOL = os.path.join(BUILD, "hakmem")
ROUNDS = (2000, 6000)


def environment(**more):
    """This one without what would reach the allocators."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM_", "LD_PRELOAD"))}
    return {**env, "LC_ALL": "C", **more}


def preloaded(*command, **more):
    """The finished process of a command under the variants' library."""
    return subprocess.run(command, env=environment(LD_PRELOAD=VARIANTS, **more), capture_output=True, text=True, check=False)


def instructions(library, loop, **more):
    """Exact instructions of ROUNDS[1] - ROUNDS[0] rounds of a loop of tests/golden/ops.c."""
    counts = []
    for rounds in ROUNDS:
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", OPS, loop, str(rounds)],
                             env=environment(LD_PRELOAD=library, **more), capture_output=True, text=True, check=True)
        counts.append(int(re.search(r"Collected : (\d+)", run.stderr)[1]))
    return counts[1] - counts[0]


@unittest.skipUnless(os.path.exists(OPS) and shutil.which("valgrind"), "needs the golden tests' program and valgrind")
class Cost(unittest.TestCase):
    def test_the_core_costs_what_it_costs(self):
        for loop in ("pair32", "fifo100", "mix400"):
            self.assertEqual(instructions(CORE, loop), instructions(VARIANTS, loop), loop)

    def test_a_front_costs(self):
        direct = instructions(VARIANTS, "pair32")
        self.assertGreater(instructions(VARIANTS, "pair32", HAKMEM_FASTLANE_DIRECT="0"), direct)
        self.assertEqual(instructions(VARIANTS, "pair32", HAKMEM_FASTLANE_DIRECT="1"), direct)


class Switch(unittest.TestCase):
    def test_default_and_any_case(self):
        self.assertEqual(preloaded("/bin/true").returncode, 0)
        self.assertEqual(preloaded("/bin/true", HAKMEM_fastlane_direct="0").returncode, 0)

    def test_not_in_force(self):
        """What only the gates' parser understands would be reported and not done."""
        for setting in ({"HAKMEM_FASTLANE_DIRECT": "off"}, {"HAKMEM_CONF": "fastlane_direct:0"}):
            run = preloaded("/bin/true", **setting)
            self.assertLess(run.returncode, 0, setting)
            self.assertIn("hakmem: fastlane_direct=0, but the front hakt serves", run.stderr)

    def test_every_front(self):
        """The judge lets each pass when asked for alone, and no two together."""
        code = "import ctypes as c, sys; b = c.create_string_buffer(32); c.CDLL(None).hak_option_get(sys.argv[1].encode(), b, 32); print(b.value.decode())"
        self.assertGreater(len(FRONTS), 10)
        for front, gate, value in FRONTS:
            run = preloaded("/usr/bin/python3", "-S", "-c", code, gate, **{"HAKMEM_" + gate.upper(): value})
            self.assertEqual((front, run.returncode, run.stdout), (front, 0, value + "\n"))
        both = {"HAKMEM_" + gate.upper(): value for _, gate, value in FRONTS[:2]}
        self.assertIn("give one variant", preloaded("/bin/true", **both).stderr)

    def test_unknown_value(self):
        self.assertIn('"2" is not one of 0|1|off|on; using 1', preloaded("/bin/true", HAKMEM_FASTLANE_DIRECT="2").stderr)

    def test_long_environment(self):
        long = {"A%d" % i: "x" * 997 for i in range(40)}
        self.assertEqual(preloaded("/bin/true", **long, HAKMEM_CONF="fastlane_direct:1").returncode, 0)
        self.assertLess(preloaded("/bin/true", **long, HAKMEM_CONF="fastlane_direct:0").returncode, 0)
        self.assertEqual(preloaded("/bin/true", **long, HAKMEM_FASTLANE_DIRECT="0").returncode, 0)

    def test_libc_inside(self):
        code = "import ctypes; print(ctypes.CDLL(None).hak_option_get and 1)"
        self.assertEqual(preloaded(sys.executable, "-c", code, HAKMEM_FORCE_LIBC_ALLOC="1").stdout, "1\n")


@unittest.skipUnless(os.path.exists(TOOL), "needs the command line")
class CommandLine(unittest.TestCase):
    def tool(self, *args):
        with tempfile.TemporaryDirectory() as home:
            return subprocess.run([TOOL, *args], env=environment(HOME=home), capture_output=True, text=True, check=False)

    def test_proof(self):
        run = self.tool("ab", "--lib", VARIANTS, "--set", "HAKMEM_FASTLANE_DIRECT=0", "--vs", "HAKMEM_FASTLANE_DIRECT=1", "--budget", "0",
                        "--json", "--", "/bin/true")
        proof = json.loads(run.stdout)["proof"]
        for arm, value in (("A", "0"), ("B", "1")):
            self.assertEqual(proof[arm][0]["options"]["fastlane_direct"], value)
            self.assertEqual(proof[arm][0]["malloc"], VARIANTS)

    def test_refused(self):
        both = ("--set", "HAKMEM_FASTLANE_DIRECT=0", "--vs", "HAKMEM_FASTLANE_DIRECT=1", "--", "/bin/true")
        run = self.tool("ab", "--lib", CORE, *both)
        self.assertEqual(run.returncode, 2)
        self.assertIn("only libhakmem-variants.so has it", run.stderr)
        run = self.tool("ab", "--lib", VARIANTS, "--gate", "fastlane_direct=0,2", "--", "/bin/true")
        self.assertEqual(run.returncode, 2)
        self.assertIn('"2" is not one of', run.stderr)
        run = self.tool("run", "--lib", CORE, "--set", "fastlane_direct=0", "--", "/bin/true")
        self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
