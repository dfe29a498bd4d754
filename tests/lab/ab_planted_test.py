#!/usr/bin/env python3
"""`hakmem ab` finds a planted regression of 3 % in instructions and one of 10 % in time, and nothing between identical libraries."""
import unittest

from ab_common import WORK, LabTest, lab

SAME = lab("planted_same.so")


class Planted(LabTest):
    """The two regressions that must be found; tests/lab/planted.py has the long form."""

    def found(self, d, name):
        """10 % was planted in each op. How near it is found depends on what else the machine does: planted.py looks at that on a quiet one."""
        m = next(m for m in d["measures"] if m["name"] == name)
        self.assertEqual(m["finding"], "worse")
        self.assertTrue(0.05 < m["change"] < 0.2, m)

    def test_instructions(self):
        libs = f"{SAME},{lab('planted_instructions.so')}"
        d = self.json("ab", "--lib", libs, "--count-only", "--json", "--", WORK, 10000, status=3)
        m = d["measures"][0]
        self.assertEqual((m["name"], m["finding"]), ("instructions", "worse"))
        self.assertAlmostEqual(m["change"], 0.03, delta=0.005)
        self.assertLess(m["p"], 0.01)

    def test_same_instructions(self):
        d = self.json("ab", "--lib", f"{SAME},{SAME}", "--count-only", "--json", "--", WORK, 3000, status=4)
        self.assertLess(abs(d["measures"][0]["change"]), 0.001)

    def no_go_in_time(self, measure, work, *options):
        """What else the machine does may be as much as was planted: then no difference is the honest answer, and not yet a failure."""
        libs = f"{SAME},{lab('planted_time.so')}"
        for _ in range(4):
            d = self.json("ab", "--lib", libs, *options, "--budget", "15", "--json", "--", WORK, work, status=None)
            if d["verdict"]["word"] != "NO DIFFERENCE DETECTED":
                break
        self.assertEqual((self.status, d["verdict"]["word"], d["verdict"]["measure"]), (3, "NO-GO", measure))
        self.found(d, measure)

    def test_time(self):
        self.no_go_in_time("cpu", 200000, "--primary", "cpu")

    def test_time_that_the_program_prints(self):
        self.no_go_in_time("metric", 40000, "--metric", "ns: ([0-9.]+)", "--lower")


if __name__ == "__main__":
    unittest.main(verbosity=1)
