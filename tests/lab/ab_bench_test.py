#!/usr/bin/env python3
"""`hakmem bench`: the benches beside the tool, as one table of ratios with intervals."""
import glob
import json
import os
import signal
import subprocess
import time
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

    def test_budget(self):
        """The first round is whole and has every bench; what does not fit afterwards is left out."""
        common = ["--quick", "--lib", "jemalloc", "--json"]
        d = self.json("bench", "notes", "--budget", 0, *common)
        self.assertEqual((d["rounds"], d["stopped"], d["missing"]), (1, "the budget is spent", []))
        self.assertEqual({r["bench"] for r in d["rows"]}, {"comprehensive", "random_mixed", "larson"} & set(BENCHES))
        self.assertEqual({r["rounds"] for r in d["rows"]}, {1})
        d = self.json("bench", "random_mixed", "--case", "mix400", "--budget", "2s", "--lib", "jemalloc", "--json")
        self.assertEqual(d["stopped"], "the budget is spent")
        self.assertGreater(d["rounds"], 2)
        self.assertLess(d["seconds"], 3)
        d = self.json("bench", "random_mixed", "--case", "mix400", "--rounds", 3, *common)
        self.assertEqual((d["rounds"], d["stopped"]), (3, "all rounds are done"))
        out, _ = self.tool("bench", "random_mixed", "--case", "mix400", "--rounds", 3, "--quick", "--lib", "jemalloc")
        self.assertIn("3 rounds", out)
        self.assertIn("whole range", out)

    def test_interrupt(self):
        """Ctrl-C: what was measured is shown and recorded, what was not reached is named."""
        record = self.path("kept.json")
        process = subprocess.Popen([TOOL, "bench", "all", "--lib", "jemalloc", "-o", record], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment())
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        with open(record) as f:
            d = json.load(f)
        self.assertEqual(d["stopped"], "interrupted")
        self.assertEqual(d["failures"], [])
        self.assertGreater(len(d["rows"]), 0)
        self.assertEqual(sorted(d["missing"] + list({r["bench"] for r in d["rows"]})), BENCHES)
        self.assertIn("not reached: ", out)

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "bench", "random_mixed", "--case", "mix400", "--quick", "--lib", "jemalloc"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=self.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        out, err = self.tool("bench", "random_mixed", "--case", "mix400", "--quick", "--lib", "jemalloc", "-o", "/dev/full", status=1)
        self.assertIn("cannot write /dev/full: No space left on device", err)
        self.assertIn("geometric mean", out)

    def test_suite_with_all_allocators(self):
        d = self.json("bench", "notes", "--quick", "--json", timeout=280)
        self.assertEqual(d["failures"], [])
        self.assertEqual({r["bench"] for r in d["rows"]}, {"comprehensive", "random_mixed", "larson"} & set(BENCHES))

    def test_bad_input(self):
        self.refused("bench", "nots", says="did you mean notes")
        self.refused("bench", "--lib", "jemaloc", says='did you mean "jemalloc"')
        self.refused("bench", "--rounds", "1", says="--rounds")
        self.refused("bench", "--budget", "soon", says=['"soon" is not a time', "90s"])
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
