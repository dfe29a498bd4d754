#!/usr/bin/env python3
"""`hakmem ab`: the rounds, the proof, the record, and what it does with bad input, crashes, a full disk and Ctrl-C."""
import json
import os
import signal
import subprocess
import time
import unittest

from ab_common import LIBRARY, TOOL, WORK, LabTest, has_options, lab, system_python

QUICK = ["--budget", "0"]
SAME = lab("planted_same.so")
DEAF = lab("ab_deaf_lib.so")
JEMALLOC = "jemalloc"


def by_phase(document, phase):
    return [s for s in document["samples"] if s["phase"] == phase]


class Rounds(LabTest):
    def test_record(self):
        d = self.json("ab", "--lib", f"libc,{JEMALLOC}", *QUICK, "--json", "--", WORK, 2000, status=None)
        self.assertEqual([a["label"] for a in d["arms"]], ["libc", "jemalloc"])
        self.assertEqual(d["command"], [WORK, "2000"])
        self.assertGreaterEqual(d["pairs"], 10)
        self.assertGreaterEqual(d["control_pairs"], 10)
        self.assertEqual(len(by_phase(d, "compare")), 2 * d["pairs"])
        for name in ("kernel", "thp", "processor", "load", "page_size", "date", "memory"):
            self.assertIn(name, d["machine"])
        self.assertIn("fnv1a", d["arms"][1]["library"])
        for sample in by_phase(d, "compare"):
            for measure in ("wall", "inside", "cpu", "rss", "faults", "switches"):
                self.assertIn(measure, sample)
            self.assertGreater(sample["wall"], 0)
            self.assertGreater(sample["rss"], 500000)
        names = [m["name"] for m in d["measures"]]
        self.assertEqual(names, ["wall", "inside", "cpu", "rss", "faults", "switches"])
        for m in d["measures"]:
            self.assertLessEqual(m["low"], m["change"] + 1e-9)
            self.assertGreaterEqual(m["high"], m["change"] - 1e-9)
            self.assertTrue(0 < m["p"] <= 1)
        rss = d["measures"][3]
        self.assertEqual((rss["finding"], rss["change"] > 0.3), ("worse", True))  # jemalloc's tables

    def test_proof_names_what_served(self):
        d = self.json("ab", "--lib", f"libc,{JEMALLOC}", *QUICK, "--json", "--", WORK, 100, status=None)
        self.assertIn("/libc.so", d["proof"]["A"][0]["malloc"])
        self.assertIn("/libjemalloc.so", d["proof"]["B"][0]["malloc"])
        self.assertIn("/libjemalloc.so", d["proof"]["B"][0]["free"])

    def test_order(self):
        """The control comes first; blocks of the comparison are mirrored and both orders occur."""
        d = self.json("ab", "--lib", f"libc,{SAME}", *QUICK, "--seed", 3, "--json", "--", WORK, 100, status=None)
        phases = [s["phase"] for s in d["samples"]]
        self.assertEqual(phases, sorted(phases, key=["warm-up", "control", "compare"].index))
        order = "".join(s["arm"] for s in by_phase(d, "compare"))
        blocks = {order[i:i + 4] for i in range(0, len(order), 4)}
        self.assertEqual(blocks, {"ABBA", "BAAB"})
        self.assertEqual({s["arm"] for s in by_phase(d, "control")}, {"A"})

    def test_metric(self):
        d = self.json("ab", "--lib", "libc,libc", *QUICK, "--metric", "ops/s: ([0-9.]+)", "--json", "--", WORK, 500, status=None)
        self.assertEqual(d["verdict"]["measure"], "metric")
        self.assertGreater(by_phase(d, "compare")[0]["metric"], 1000)
        d = self.json("ab", "--lib", "libc,libc", *QUICK, "--metric", "nothing: ([0-9.]+)", "--json", "--", WORK, 500, status=1)
        self.assertIn("--metric", d["failures"][0]["message"])

    def test_lower_metric(self):
        libs = f"{SAME},{lab('planted_time.so')}"
        common = ["--metric", "turns: ([0-9.]+)", *QUICK, "--json", "--"]
        code = f"{WORK} 10 >/dev/null; case $LD_PRELOAD in *planted_time*) echo turns: 330;; *) echo turns: 300;; esac"
        d = self.json("ab", "--lib", libs, "--lower", *common, "sh", "-c", code, status=3)
        self.assertEqual(d["verdict"]["word"], "NO-GO")
        self.assertAlmostEqual([m for m in d["measures"] if m["name"] == "metric"][0]["change"], 0.1, places=9)
        self.json("ab", "--lib", libs, *common, "sh", "-c", code, status=0)
        self.json("ab", "--lib", libs, "--threshold", 11, *common, "sh", "-c", code, status=3)  # real, and under the threshold

    def test_instructions_beside_times(self):
        d = self.json("ab", "--lib", "libc,libc", *QUICK, "--instructions", "--json", "--", WORK, 100, status=None)
        self.assertEqual([m["name"] for m in d["measures"]], ["wall", "inside", "cpu", "rss", "faults", "switches", "instructions", "branches"])
        self.assertIn(d["plan"]["counter"], ("callgrind", "perf_event"))

    def test_budget_and_precision(self):
        d = self.json("ab", "--lib", f"libc,{JEMALLOC}", "--primary", "rss", "--precision", 50, "--json", "--", WORK, 100, status=3)
        self.assertEqual((d["pairs"], d["stopped"]), (10, "the interval is narrow enough"))
        begun = time.time()
        d = self.json("ab", "--lib", "libc,libc", "--budget", "1500ms", "--precision", 0.01, "--json", "--", WORK, 10, status=4)
        self.assertEqual(d["stopped"], "the budget is spent")
        self.assertGreater(d["pairs"], 10)
        self.assertLess(time.time() - begun, 30)

    def test_clean_environment(self):
        script = "import os,sys; sys.exit('MALLOC_ARENA_MAX' in os.environ or os.environ.get('WANTED') != 'x')"
        env = self.environment(MALLOC_ARENA_MAX="1")
        self.tool("ab", "--lib", "libc,libc", *QUICK, "--env", "WANTED=x", "--", system_python(), "-S", "-c", script, status=4, env=env)
        self.tool("ab", "--lib", "libc,libc", *QUICK, "--env", "WANTED=x", "--keep-env", "--", system_python(), "-S", "-c", script, status=1, env=env)

    def test_environments_of_one_size(self):
        """The stack begins where the environment ends (Mytkowicz and others 2009): it must not differ with the length of a library's path."""
        script = "env | wc -c"
        for libs in (f"libc,{JEMALLOC}", f"{SAME},libc"):
            d = self.json("ab", "--lib", libs, *QUICK, "--metric", "([0-9]+)", "--json", "--", "sh", "-c", script, status=4)
            metric = next(m for m in d["measures"] if m["name"] == "metric")
            self.assertEqual((metric["a"], metric["low"], metric["high"]), (metric["b"], 0, 0))

    def test_inside(self):
        """The time without start and end: what the program itself does."""
        d = self.json("ab", "--lib", "libc,libc", *QUICK, "--primary", "inside", "--env", "WORK_SLEEP=0", "--json", "--", WORK, 20000, status=None)
        self.assertEqual(d["verdict"]["measure"], "inside")
        for sample in by_phase(d, "compare"):
            self.assertTrue(0 < sample["inside"] < sample["wall"])
            self.assertGreater(sample["inside"], 0.004)  # 20000 times 300 turns of at least a nanosecond

    def test_variables_of_other_allocators(self):
        d = self.json("ab", "--lib", "mimalloc", "--set", "MIMALLOC_ARENA_EAGER_COMMIT=0", "--vs", "MIMALLOC_ARENA_EAGER_COMMIT=1", *QUICK,
                      "--json", "--", WORK, 100, status=None)
        self.assertEqual([a["label"] for a in d["arms"]], ["MIMALLOC_ARENA_EAGER_COMMIT=0", "MIMALLOC_ARENA_EAGER_COMMIT=1"])
        self.assertEqual(d["failures"], [])

    def test_stdin_cpu_status(self):
        with open(self.path("in"), "w") as f:
            f.write("needle\n")
        self.tool("ab", "--lib", "libc,libc", *QUICK, "--stdin", self.path("in"), "--cpu", 0, "--", "grep", "-q", "needle", status=4)
        self.tool("ab", "--lib", "libc,libc", *QUICK, "--", "grep", "-q", "needle", status=1)
        self.tool("ab", "--lib", "libc,libc", *QUICK, "--any-status", "--", "grep", "-q", "needle", status=4)


class Proof(LabTest):
    """A comparison that would compare nothing is an error."""

    def test_switch_without_effect(self):
        out, _ = self.tool("ab", "--lib", DEAF, "--gate", "decay=0,1000", *QUICK, "--", WORK, 100, status=5)
        self.assertIn("decay was 1000", out)
        self.assertIn("NOT PROVEN", out)

    def test_switch_read_too_late(self):
        """The notes' lost weeks: the option says libc, the process was not served by it."""
        out, _ = self.tool("ab", "--lib", lab("ab_late_lib.so"), "--libc", *QUICK, "--", WORK, 100, status=5)
        self.assertIn("the switch came too late", out)

    def test_threads_at_the_end(self):
        """What other threads free while the process is asked who serves must not look like another allocator."""
        for libs in ("libc,libc", f"{JEMALLOC},libc"):
            d = self.json("ab", "--lib", libs, *QUICK, "--env", "WORK_THREADS=3", "--json", "--", WORK, 100, status=None)
            self.assertEqual(d["failures"], [])

    def test_library_without_options(self):
        out, _ = self.tool("ab", "--lib", SAME, "--gate", "decay=0,1000", *QUICK, "--", WORK, 100, status=5)
        self.assertIn("has no option decay", out)

    def test_program_that_clears_the_environment(self):
        out, _ = self.tool("ab", "--lib", f"libc,{JEMALLOC}", *QUICK, "--", "env", "-i", WORK, 100, status=5)
        self.assertIn("env became ab_work_prog", out)
        self.tool("ab", "--lib", f"libc,{JEMALLOC}", *QUICK, "--", "env", WORK, 100, status=None)
        out, _ = self.tool("ab", "--lib", "libc,libc", *QUICK, "--", "sh", "-c", f"exec {lab('run_static_prog')}", status=5)
        self.assertIn("became run_static_prog", out)
        raw = "import ctypes; ctypes.CDLL(None).syscall(231, 0)"  # exit_group, as a Go program ends: no last word, but no exec either
        if os.uname().machine == "x86_64":
            self.tool("ab", "--lib", "libc,libc", *QUICK, "--", system_python(), "-S", "-c", raw, status=4)

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_changed_by_the_program(self):
        out, _ = self.tool("ab", "--gate", "decay=0,1000", *QUICK, "--env", "WORK_SET=decay,5000", "--", WORK, 100, status=5)
        self.assertIn("at the process's end", out)

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_gate_in_force(self):
        d = self.json("ab", "--gate", "remote_batch=1,126", *QUICK, "--json", "--", WORK, 100, status=None)
        self.assertEqual(d["failures"], [])
        self.assertEqual([d["proof"][x][0]["options"]["remote_batch"] for x in "AB"], ["1", "126"])
        self.assertEqual(os.path.realpath(d["proof"]["A"][0]["malloc"]), os.path.realpath(LIBRARY))

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_gap_to_libc(self):
        d = self.json("ab", "--libc", *QUICK, "--json", "--", WORK, 20000, 0, status=None)
        self.assertEqual(d["failures"], [])
        self.assertEqual(set(d["gap"]), {"layout", "allocator", "total", "door"})
        self.assertEqual((d["proof"]["L"][0]["options"]["force_libc"], d["arms"][3]["label"]), ("1", "plain, library loaded"))
        self.assertIn("/libc.so", d["proof"]["L"][0]["malloc"])  # loaded, and serves nothing
        self.assertEqual(d["proof"]["A"][0]["options"]["force_libc"], "1")
        self.assertEqual(d["proof"]["B"][0]["options"]["force_libc"], "0")
        self.assertIn("/libc.so", d["proof"]["P"][0]["malloc"])
        out, _ = self.tool("ab", "show")
        self.assertIn("the gap to libc", out)


class BadInput(LabTest):
    def test_arguments(self):
        refused = self.refused
        refused("ab", "--lib", "libc,libc", says=["no command", "--"])
        refused("ab", "--lib", "libc,libc", "--", "no-such-command", says="command not found", status=127)
        refused("ab", "--", WORK, says=["nothing to compare", "--gate"])
        refused("ab", "--gate", "decya=0,1", "--", WORK, says='did you mean "decay"')
        refused("ab", "--gate", "wrap_tiny=0,1", "--", WORK, says=["settled", "replaced"])
        refused("ab", "--gate", "decay=5,5", "--", WORK, says="nothing would differ")
        refused("ab", "--gate", "thp=default,defaultt", "--", WORK, says=["defaultt", "never|default|always"])
        refused("ab", "--gate", "remote_batch=1,127", "--", WORK, says=["127", "1..126"])
        refused("ab", "--gate", "decay=5", "--", WORK, says="two to compare")
        refused("ab", "--lib", "jemaloc,libc", "--", WORK, says='did you mean "jemalloc"')
        refused("ab", "--lib", "/no/such.so,libc", "--", WORK, says=["/no/such.so", "No such file"])
        refused("ab", "--lib", f"{WORK},libc", "--", WORK, says="not a shared library")
        refused("ab", "--lib", f"{__file__},libc", "--", WORK, says="not an ELF file")
        refused("ab", "--lib", "libm.so.6,libc", "--", WORK, says="No such file")
        refused("ab", "--lib", "libc,libc", "--pairs", 3, "--", WORK, says=["--pairs", "10"])
        refused("ab", "--lib", "libc,libc", "--metric", "ops", "--", WORK, says="has no group")
        refused("ab", "--lib", "libc,libc", "--metric", "(ops", "--", WORK, says="--metric")
        refused("ab", "--lib", "libc,libc", "--primary", "wal", "--", WORK, says=["wall", "inside"])
        refused("ab", "--lib", "libc,libc", "--threshold", "x", "--", WORK, says='"x" is not a number')
        refused("ab", "--lib", "libc,libc", "--budget", "5 parsecs", "--", WORK, says="not a time")
        refused("ab", "--lib", "libc,libc", "--set", "decay=1", "--vs", "decay=2", "--", WORK, says="more than one comparison")
        refused("ab", "--gate", "decay=1,2", "--set", "decay=3", "--", WORK, says=["decay=3 has no effect", "drop it"])
        refused("ab", "--gate", "decay=1,2", "--set", "force_libc=1", "--", WORK, says="no effect under force_libc=1")
        refused("ab", "--gate", "decay=1,2", "--env", "HAKMEM_FORCE_LIBC=1", "--", WORK, says=["--env", "--set"])
        refused("ab", "--gate", "decay=1,2", "--env", "LD_PRELOAD=x.so", "--", WORK, says="--lib")
        refused("ab", "--lib", "libc,jemalloc", "--gate", "decay=1,2", "--", WORK, says="more than one comparison")
        refused("ab", "--lib", "libc", "--", WORK, says="nothing to compare")
        refused("ab", "--lib", "libc", "--set", "decay=1", "--vs", "decay=2", "--", WORK, says="option of hakmem")
        refused("ab", "--lib", "libc,libc", "-o", "/no/such/place/x", "--", WORK, says="/no/such/place/x")
        refused("ab", "--lib", "libc,libc", "--", lab("run_static_prog"), says="statically linked", status=126)

    def test_library_that_is_no_allocator(self):
        libm = subprocess.run(["sh", "-c", "ls /lib/*/libm.so.6 /usr/lib/*/libm.so.6"], capture_output=True, text=True).stdout.split()
        self.refused("ab", "--lib", f"{libm[0]},libc", "--", WORK, says="does not define malloc")

    def test_unreadable_library(self):
        path = self.path("secret.so")
        with open(path, "w") as f:
            f.write("x")
        os.chmod(path, 0)
        self.refused("ab", "--lib", f"{path},libc", "--", WORK, says="secret.so")

    def test_help(self):
        out, _ = self.tool("ab", "--help")
        for text in ("examples:", "--gate", "--metric", "exit status"):
            self.assertIn(text, out)


class Trouble(LabTest):
    def test_crash_in_round_three(self):
        counter = self.path("runs")
        for at in (2 + 6, 2 + 20 + 7):  # in the control, in the comparison
            with open(counter, "w") as f:
                f.write("0\n")
            d = self.json("ab", "--lib", "libc,libc", *QUICK, "--env", f"WORK_CRASH={counter},{at}", "--json", "--", WORK, 100, status=1)
            self.assertEqual(len(d["failures"]), 1)
            self.assertIn("SIGABRT", d["failures"][0]["message"])
            self.assertIn("the planted crash", d["failures"][0]["stderr"])
            self.assertEqual(d["measures"][0]["pairs"], 9 if at > 22 else 10)

    def test_crash_every_time(self):
        out, _ = self.tool("ab", "--lib", "libc,libc", *QUICK, "--", "sh", "-c", "kill -SEGV $$", status=1)
        self.assertIn("SIGSEGV", out)
        self.assertIn("fails every time", out)

    def test_timeout(self):
        out, _ = self.tool("ab", "--lib", "libc,libc", *QUICK, "--timeout", "200ms", "--", "sleep", 30, status=1)
        self.assertIn("--timeout", out)

    def test_full_disk(self):
        out, err = self.tool("ab", "--lib", "libc,libc", *QUICK, "-o", "/dev/full", "--", WORK, 100, status=1)
        self.assertIn("cannot write /dev/full: No space left on device", err)
        self.assertIn("NO DIFFERENCE DETECTED", out)
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "options"], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_interrupt_keeps_what_was_measured(self):
        record = self.path("kept.json")
        process = subprocess.Popen([TOOL, "ab", "--lib", f"libc,{JEMALLOC}", "--budget", "1h", "--precision", "0.01", "-o", record, "--", WORK, "100"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment())
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertIn("interrupted", out)
        with open(record) as f:
            d = json.load(f)
        self.assertTrue(d["interrupted"])
        self.assertGreater(len(d["samples"]), 3)
        if d["measures"]:
            self.assertIn(d["measures"][0]["pairs"], (d["pairs"], d["pairs"] - 1))  # the run that was broken off
        shown, _ = self.tool("ab", "show", record)
        self.assertEqual(shown, out.replace(f"recorded in {record}\n", ""))

    def test_no_place_for_the_record(self):
        out, err = self.tool("ab", "--lib", "libc,libc", *QUICK, "--", WORK, 100, status=4, env=self.environment(XDG_STATE_HOME="/dev/null"))
        self.assertIn("no place for the record", err)
        self.assertIn("-o", err)
        self.assertNotIn("recorded in", out)

    def test_show(self):
        out, _ = self.tool("ab", "--lib", "libc,libc", *QUICK, "--", WORK, 100, status=4)
        shown, _ = self.tool("ab", "show")
        self.assertEqual(shown, "".join(line for line in out.splitlines(True) if not line.startswith("recorded in")))
        self.refused("ab", "show", "/no/such.json", says="/no/such.json", status=1)
        with open(self.path("x.json"), "w") as f:
            f.write('{"tool": 1\n')
        self.refused("ab", "show", self.path("x.json"), says="line", status=1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
