#!/usr/bin/env python3
"""`hakmem trace`: the arithmetic of its figures on programs whose blocks are known."""
import json
import os
import subprocess
import unittest

from record_common import BUILD, PROG, RecordTest, library


class Figures(RecordTest):
    @classmethod
    def setUpClass(cls):
        cls.summaries = {}

    def summary(self, *args):
        if args not in self.summaries:
            self.summaries[args] = self.trace(self.record(PROG, *args))
        return self.summaries[args]

    def test_schemes(self):
        """1,000,000 bytes in blocks of 100 and one table of 80,000: what each scheme takes for that."""
        s = self.summary("stack", "10000")
        waste = {r["scheme"]: r["bytes_at_peak"] for r in s["schemes"]}
        other = s["peak_live_bytes"] - 10000 * 100 - 80000
        self.assertLess(other, 8192)  # the dynamic loader's and libc's own
        expect = {  # of 100 bytes; of 80,000 bytes
            "step16": (112, 80000),
            "four": (112, 81920),
            "eight": (112, 81920),
            "hakmem": (112, 81920),
            "pow2": (128, 131072),
            "jemalloc": (112, 81920),
            "mimalloc": (112, 81920),
            "glibc": (112, 80016),
        }
        self.assertEqual(set(waste), set(expect))
        for name, (small, table) in expect.items():
            self.assertAlmostEqual(waste[name], 10000 * small + table, delta=2 * other + 64, msg=name)

    def test_histogram(self):
        s = self.summary("stack", "10000")
        self.assertEqual(sum(r["blocks"] for r in s["sizes"]), s["blocks"] + s["reallocs"])
        row = [r for r in s["sizes"] if r["from"] <= 100 <= r["to"]]
        self.assertEqual(len(row), 1)
        self.assertGreaterEqual(row[0]["live_at_peak"], 10000)
        self.assertEqual(row[0]["bytes"] // 100, row[0]["blocks"])
        for a, b in zip(s["sizes"], s["sizes"][1:]):
            self.assertLess(a["to"], b["from"])
        self.assertEqual(sum(r["live_at_peak"] for r in s["sizes"]), s["peak_live_blocks"])

    def test_lifetimes(self):
        s = self.summary("stack", "10000")
        self.assertEqual(sum(r["blocks"] for r in s["lifetimes"]), s["frees"])
        self.assertEqual(s["blocks"] - s["frees"], s["live_at_end_blocks"])

    def test_known_lifetimes(self):
        rows = {r["below_seconds"]: r["blocks"] for r in self.summary("lives", "3000")["lifetimes"]}
        below = {edge: sum(n for e, n in rows.items() if e is not None and e <= edge * 1.01) for edge in (1e-5, 1e-2, 0.1, 1)}
        self.assertGreater(below[1e-5], 2900)
        self.assertAlmostEqual(below[1e-2], 3000, delta=30)
        self.assertAlmostEqual(below[0.1] - below[1e-2], 3000, delta=30)  # a machine that stalls for 80 ms would fail here
        self.assertAlmostEqual(below[1] - below[0.1], 3000, delta=30)

    def test_schemes_are_the_allocators(self):
        """What a scheme says of 3000 sizes to 110 KiB is what the allocator of that name takes."""
        s = self.summary("sweep", "3000")
        asked = sum(1 + i * 37 for i in range(3000)) + 3000 * 8
        for name, lib in (("jemalloc", library("jemalloc")), ("mimalloc", library("mimalloc")), ("hakmem", os.path.join(BUILD, "libhakmem.so"))):
            if not os.path.exists(lib):
                continue
            env = {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")}
            env["HAKMEM_EARLY"] = "0"  # a program's first blocks are of no class
            real = int(subprocess.run([PROG, "sweep", "3000"], env={**env, "LD_PRELOAD": lib}, capture_output=True, text=True, check=True).stdout)
            says = [r["bytes_at_peak"] for r in s["schemes"] if r["scheme"] == name][0]
            other = s["peak_live_bytes"] - asked
            self.assertLess(other, 8192)
            self.assertAlmostEqual(says - 24576, real, delta=2 * other + 64, msg=name)  # the table of 3000 pointers takes 24 KiB in all three

    def test_cross_thread(self):
        s = self.summary("pair", "8000")
        self.assertEqual(s["cross_thread"]["blocks"], 8000)
        self.assertGreater(s["cross_thread"]["share"], 0.98)
        self.assertEqual(self.summary("stack", "10000")["cross_thread"]["blocks"], 0)

    def test_curve(self):
        s = self.summary("stack", "10000")
        self.assertEqual(max(v for _, v in s["live_over_time"]), s["peak_live_bytes"])
        times = [t for t, _ in s["live_over_time"]]
        self.assertEqual(times, sorted(times))


class Text(RecordTest):
    def test_text(self):
        out = self.record(PROG, "stack", 1000)
        text = self.tool("trace", out).stdout
        for words in ("peak live", "lifetime", "never freed", "waste by size-class scheme", "powers of two", "record_prog"):
            self.assertIn(words, text)
        self.assertIn("record_prog", self.tool("trace", "--list", out).stdout)

    def test_all(self):
        out = self.record("/bin/sh", "-c", f"{PROG} stack 10; {PROG} stack 20")
        every = json.loads(self.tool("trace", "--json", "--all", out).stdout)
        self.assertEqual(len(every), len(json.loads(self.tool("trace", "--json", "--list", out).stdout)))
        for s in every:
            self.assertEqual(s["hakmem_trace"], 1)


class BadInput(RecordTest):
    def test_messages(self):
        garbage = self.path("garbage")
        with open(garbage, "wb") as f:
            f.write(os.urandom(5000))
        self.assertIn("not a recording", self.tool("trace", garbage, status=1).stderr)
        self.assertIn("No such file", self.tool("trace", self.path("none"), status=1).stderr)
        self.assertIn("give one recording", self.tool("trace", status=2).stderr)
        out = self.record(PROG, "stack", 10)
        with open(out, "rb") as f:
            data = f.read()
        for verb in ("trace", "replay", "report"):
            for name, bytes_, says in (("empty", b"", "empty"), ("nine", b"HAKTRC9\n" + data[8:], "version 9"), ("old", b"HAKTRC1\n" + data[8:], "version 1"), ("json", b'{"a": 1}', "not a re")):
                with open(self.path(name), "wb") as f:
                    f.write(bytes_)
                done = self.tool(verb, self.path(name), *(["-o", self.path("x.html")] if verb == "report" else []), status=None)
                self.assertIn(done.returncode, (1, 2))
                self.assertIn(says, done.stderr, f"{verb} {name}")
        self.assertIn("folder", self.tool("trace", self.dir, status=1).stderr)
        self.assertIn("no such process", self.tool("trace", "--process", "nonsuch", out, status=2).stderr)

    def test_damage(self):
        """A block whose bytes were changed: what comes before it is shown, nothing crashes."""
        out = self.record(PROG, "stack", 50000)
        size = os.path.getsize(out)
        for at in range(60, size, size // 23):
            with open(out, "rb") as f:
                data = bytearray(f.read())
            data[at] ^= 0x5A
            bad = self.path("bad.hkt")
            with open(bad, "wb") as f:
                f.write(data)
            done = self.tool("trace", "--json", bad, status=None)
            self.assertIn(done.returncode, (0, 1), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
