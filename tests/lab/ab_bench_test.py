#!/usr/bin/env python3
"""`hakmem bench`: the benches beside the tool, as one table of ratios with intervals."""
import glob
import json
import os
import subprocess
import unittest

from ab_common import BUILD, TOOL, LabTest

BENCHES = sorted(os.path.basename(p)[6:] for p in glob.glob(os.path.join(BUILD, "bench_*")) if os.access(p, os.X_OK) and "." not in os.path.basename(p))


@unittest.skipUnless("random_mixed" in BENCHES, "the benches are not built")
class Bench(LabTest):
    def test_list(self):
        out, _ = self.tool("bench", "--list")
        self.assertEqual(out.splitlines()[1:], BENCHES)
        self.assertIn("notes", out)

    def test_record(self):
        record = self.path("r.json")
        out, _ = self.tool("bench", "random_mixed", "--case", "mix400", "--quick", "--lib", "jemalloc", "-o", record)
        with open(record) as f:
            d = json.load(f)
        self.assertEqual([a["label"] for a in d["allocators"]], ["libc", "libc'", "jemalloc"])
        self.assertEqual({(r["bench"], r["case"], r["measure"]) for r in d["rows"]},
                         {("random_mixed", "mix400", "ns_per_op"), ("random_mixed", "mix400", "peak_rss_kib")})
        for row in d["rows"]:
            for ratio in row["ratios"]:
                self.assertLessEqual(ratio["low"], ratio["ratio"] + 1e-9)
                self.assertGreaterEqual(ratio["high"], ratio["ratio"] - 1e-9)
        mean = [g for g in d["geomeans"] if g["label"] == "jemalloc" and g["measure"] == "ns_per_op"][0]
        self.assertAlmostEqual(mean["ratio"], d["rows"][0]["ratios"][1]["ratio"], places=6)
        self.assertEqual(len(d["samples"]), 3 * d["rounds"])
        for text in ("random_mixed/mix400", "jemalloc", "geometric mean", "nanoseconds", "resident"):
            self.assertIn(text, out)

    def test_suite_with_all_allocators(self):
        d = self.json("bench", "notes", "--quick", "--json", timeout=280)
        self.assertEqual(d["failures"], [])
        self.assertEqual({r["bench"] for r in d["rows"]}, {"comprehensive", "random_mixed", "larson"} & set(BENCHES))

    def test_bad_input(self):
        self.refused("bench", "nots", says="did you mean notes")
        self.refused("bench", "--lib", "jemaloc", says='did you mean "jemalloc"')
        self.refused("bench", "--rounds", "1", says="--rounds")
        out, _ = self.tool("bench", "random_mixed", "--case", "no-such-case", "--quick", "--lib", "jemalloc", status=1)
        self.assertIn("failed:", out)

    def test_no_benches(self):
        copy = self.path("hakmem")
        subprocess.run(["cp", TOOL, copy], check=True)
        done = subprocess.run([copy, "bench"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no bench beside the tool", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
