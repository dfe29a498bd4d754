#!/usr/bin/env python3
"""`hakmem replay`: peak live bytes, order, touched memory, and what it says to bad input."""
import os
import signal
import subprocess
import time
import unittest

from record_common import PEERS, PROG, TOOL, RecordTest

ALL = ["libc", *PEERS]


class Replays(RecordTest):
    def same_peak(self, recording, replay, within):
        """within: bytes; threads that a program runs together replay together up to an epoch, of 16 KiB at least (trace_plan.c)."""
        peak = self.trace(recording)["peak_live_bytes"]
        self.assertEqual(replay["recorded_peak_live"], peak)
        for a in replay["allocators"]:
            self.assertAlmostEqual(a["peak_live"], peak, delta=within, msg=a["name"])
            for run in a["runs"]:
                self.assertTrue(run["served"], a)
                self.assertEqual(run["failed"], 0)

    def test_one_thread_is_exact(self):
        for mode in ("stack", "kinds", "large"):
            out = self.record(PROG, mode, 50)
            self.same_peak(out, self.replay(out, "--lib", ",".join(ALL), "--rounds", 1), 0)

    def test_threads(self):
        for mode, n in (("pair", 40000), ("churn", 40)):
            out = self.record(PROG, mode, n)
            r = self.replay(out, "--lib", ",".join(ALL), "--rounds", 2)
            self.assertEqual(r["threads"], self.trace(out)["threads"])
            self.assertGreater(r["epochs"], 1)
            self.same_peak(out, r, 16384)

    def test_threads_start_while_others_end(self):
        """More replays than processors: a thread that left its last epoch is often stopped before it has ended, and its place is needed."""
        out = self.record(PROG, "churn", 400)
        one = {min(os.sched_getaffinity(0))}
        side = [subprocess.Popen([TOOL, "replay", "--json", "--lib", "libc", "--rounds", "6", out], stdout=subprocess.PIPE,
                                 preexec_fn=lambda: os.sched_setaffinity(0, one)) for _ in range(8)]
        for p in side:
            text, _ = p.communicate(timeout=200)
            self.assertEqual(p.returncode, 0, text)

    def test_fork_begins_with_what_it_inherited(self):
        out = self.record(PROG, "fork", 3000)
        for r in self.replay(out, "--all", "--lib", "libc", "--rounds", 1):
            self.assertGreaterEqual(r["allocators"][0]["peak_live"], 3000 * 100)

    def test_untouched_memory_stays_untouched(self):
        out = self.record(PROG, "large", 3)
        r = self.replay(out, "--lib", "libc", "--rounds", 1)
        self.assertGreaterEqual(r["recorded_peak_live"], 16 << 20)
        self.assertLess(r["allocators"][0]["peak_rss"], 5 << 20)

    def test_timing(self):
        out = self.record("/bin/sh", "-c", f"exec {PROG} large 2 kill", status=137)
        fast = self.replay(out, "--lib", "libc", "--rounds", 1)["allocators"][0]["wall"]
        out = self.record("/usr/bin/python3", "-c", "import time; time.sleep(0.7); x = bytes(100000)")
        kept = self.replay(out, "--lib", "libc", "--rounds", 1, "--timing")
        self.assertGreater(kept["allocators"][0]["wall"], 0.7)
        self.assertIn("program_peak_rss_estimate", kept["allocators"][0])
        self.assertLess(fast, 0.6)

    def test_interrupt(self):
        """Ctrl-C: the allocators that were done are shown."""
        out = self.record("/usr/bin/python3", "-c", "import time; time.sleep(3)")
        env = {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")}
        p = subprocess.Popen([TOOL, "replay", "--lib", "libc,libc", "--rounds", "1", "--timing", out], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, start_new_session=True, text=True)
        time.sleep(4.5)
        os.killpg(p.pid, signal.SIGINT)
        text, _ = p.communicate(timeout=20)
        self.assertEqual(p.returncode, 130)
        self.assertRegex(text, r"libc +\d+ KiB")
        self.assertRegex(text, r"libc +(ended by signal|not run)")

    def test_table(self):
        out = self.record(PROG, "stack", 100)
        text = self.tool("replay", out, "--lib", "libc", "--rounds", 1).stdout
        for words in ("allocator", "peak RSS", "+ library", "faults", "libc"):
            self.assertIn(words, text)


class BadInput(RecordTest):
    def test_messages(self):
        out = self.record(PROG, "stack", 100)
        self.assertIn("nonsuch", self.tool("replay", "--lib", "nonsuch", out, status=2).stderr)
        self.assertIn("no such process", self.tool("replay", "--process", "nonsuch", out, status=2).stderr)
        self.assertIn("give one recording", self.tool("replay", status=2).stderr)
        self.assertIn("No such file", self.tool("replay", self.path("none"), status=1).stderr)

    def test_a_crashing_library_is_reported_and_the_others_kept(self):
        source = self.path("bad.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <stdlib.h>\nextern void *__libc_malloc(size_t);\nextern void __libc_free(void *);\n"
                    "void *malloc(size_t n) { static int k; if (++k > 500) abort(); return __libc_malloc(n); }\n"
                    "void free(void *p) { __libc_free(p); }\n")
        bad = self.path("libbad.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-fno-builtin", "-o", bad, source], check=True)
        out = self.record(PROG, "stack", 1000)
        r = self.replay(out, "--lib", f"libc,{bad}", "--rounds", 1, status=1)
        self.assertIn("signal 6", r["allocators"][1]["runs"][0]["trouble"])
        self.assertGreater(r["allocators"][0]["wall"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
