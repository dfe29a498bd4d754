#!/usr/bin/env python3
"""`hakmem ab --libc` finds known shares of the gap to libc: what a library costs by being loaded (layout), on the way to libc (door), and by serving
(allocator)."""
import re
import shutil
import subprocess
import unittest

from ab_common import WORK, LabTest, lab

OPS = 10000
PLANTED = {"layout": 120000, "door": 15 * OPS, "allocator": 24 * OPS}  # turns of the chain, that CMakeLists.txt plants in split_planted beyond split_nothing


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
class Split(LabTest):
    def gap(self, library, *arguments):
        return self.json("ab", "--lib", lab(library), "--libc", "--count-only", "--json", *arguments, "--", WORK, OPS, status=None, timeout=250)

    def instructions(self, turns):
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", WORK, str(OPS), str(turns)], capture_output=True, text=True)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))

    def test_planted_shares(self):
        """The library with one turn each has shares of its own (its loading, its calls); what is planted must come on top, within the interval."""
        turn = (self.instructions(300) - self.instructions(100)) / (200 * OPS)
        empty, planted = self.gap("split_nothing.so"), self.gap("split_planted.so")
        for part, turns in PLANTED.items():
            before, after = empty["gap"][part], planted["gap"][part]
            with self.subTest(part):
                share = (before["b"] - before["a"] + turns * turn) / after["a"]
                self.assertTrue(0.02 < share < 0.09)
                self.assertLess(after["low"], share + 1e-4)
                self.assertGreater(after["high"], share - 1e-4)
                self.assertLess(abs(before["change"]), 0.02)  # 1.0 % where libc picks other string functions for the processor
        total = (1 + planted["gap"]["layout"]["change"]) * (1 + planted["gap"]["allocator"]["change"]) - 1
        self.assertAlmostEqual(planted["gap"]["total"]["change"], total, places=4)  # the door has no part in it
        self.assertEqual(planted["verdict"]["word"], "NO-GO")
        loss = 1 - 1 / (1 + planted["gap"]["allocator"]["change"])
        self.assertIn(f"B loses {100 * loss:.1f} %", planted["verdict"]["reason"])  # of the allocator alone, not of A to B
        self.assertIn("allocator's share", planted["verdict"]["reason"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
