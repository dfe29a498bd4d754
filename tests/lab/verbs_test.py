#!/usr/bin/env python3
"""What every verb must do alike: --help with an example, JSON, bad input, a full disk, progress on a terminal and nowhere else, Ctrl-C."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from ab_common import LIBRARY, TOOL, WORK, LabTest

VERBS = ("run", "check", "options", "ab", "bench", "record", "replay", "trace", "report")


@unittest.skipUnless(os.path.exists(LIBRARY), "the library is not built")
class Verbs(LabTest):
    def setUp(self):
        super().setUp()
        self.recording = self.path("work.hkt")
        self.tool("record", "-o", self.recording, "--", WORK, 2000)

    def test_help(self):
        for verb in VERBS:
            with self.subTest(verb):
                for arguments in ((verb, "--help"), ("help", verb)):
                    out, err = self.tool(*arguments)
                    self.assertEqual(err, "")
                    self.assertRegex(out, rf"(?i)examples?:(.|\n)*hakmem {verb} ")

    def test_json(self):
        record = self.path("ab.json")
        self.tool("ab", "--lib", "libc,libc", "--budget", 0, "-o", record, "--", WORK, 100, status=None)
        for arguments in (["check", "--json", "true"], ["check", "true", "--json"], ["options", "--json"], ["options", "decay", "--json"],
                          ["ab", "show", "--json", record], ["ab", "show", record, "--json"], ["bench", "calloc", "--quick", "--lib", "libc", "--json"],
                          ["record", "--json", "-o", self.path("x.hkt"), "--", WORK, 10], ["replay", self.recording, "--lib", "libc", "--rounds", 1, "--json"],
                          ["trace", "--json", self.recording], ["trace", self.recording, "--json"], ["trace", "--list", self.recording, "--json"]):
            with self.subTest(" ".join(map(str, arguments))):
                out, err = self.tool(*arguments)
                text = out if arguments[0] != "record" or out.strip().startswith("{") else out[out.index("{"):]
                self.assertIsInstance(json.loads(text), (dict, list))
                self.assertNotIn("\r", err)
        self.tool("run", f"--json={self.path('run.json')}", "--", WORK, 10)
        with open(self.path("run.json")) as f:
            self.assertTrue(json.load(f)["served"])

    def test_bad_input(self):
        for verb in VERBS:
            with self.subTest(verb):
                self.refused(verb, "--no-such-option", "--", "true", says=["no-such-option", f"hakmem {verb} --help"])
        for arguments, status, says in (
                (["run"], 2, "no command"), (["ab"], 2, "no command"), (["record", "-o", "x"], 2, "no command"), (["check"], 2, "which process"),
                (["run", "--", "no-such-command"], 127, "no-such-command"), (["record", "-o", "x", "--", "no-such-command"], 127, "no-such-command"),
                (["check", "no-such-command"], 127, "no-such-command"), (["run", "--", "/"], 126, "directory"), (["replay"], 2, "give one recording"),
                (["trace"], 2, "give one recording"), (["report"], 2, "give results"), (["replay", "/no/such"], 1, "/no/such"), (["trace", "/no/such"], 1, "/no/such"),
                (["report", "/no/such", "-o", "x"], 1, "/no/such"), (["replay", TOOL], 1, "not a recording"), (["trace", TOOL], 1, "not a recording"),
                (["replay", self.recording, "--rounds", "many"], 2, "--rounds"), (["replay", self.recording, "--lib", "jemaloc"], 2, "jemaloc"),
                (["replay", self.recording, "--process", "nobody"], 2, "nobody"), (["options", "decya"], 2, 'hakmem options: no option "decya"; did you mean "decay"'),
                (["report", self.recording, "-o", "/no/such/page.html"], 1, "/no/such/page.html"),
                (["report", self.recording, "--svg", self.path("x.svg"), "--chart", "sises"], 2, "sizes")):
            with self.subTest(" ".join(arguments)):
                self.refused(*arguments, says=says, status=status)

    def test_full_disk(self):
        for arguments in (["check", "true"], ["options"], ["options", "--json"], ["trace", self.recording], ["trace", "--json", self.recording],
                          ["replay", self.recording, "--lib", "libc", "--rounds", "1"], ["report", self.recording, "-o", "-"],
                          ["bench", "--list"], ["ab", "--help"]):
            with self.subTest(" ".join(arguments)), open("/dev/full", "w") as full:
                done = subprocess.run([TOOL, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment())
                if arguments[-1] != "--help":  # argp's own
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertIn("No space left", done.stderr)
        for arguments in (["report", self.recording, "-o", "/dev/full"], ["report", self.recording, "--svg", "/dev/full"], ["record", "-o", "/dev/full", "--", WORK, "10"]):
            with self.subTest(" ".join(arguments)):
                self.assertIn("No space left", self.tool(*arguments, status=1)[1])

    def on_terminal(self, *arguments, seconds=3.5):
        """Runs the tool with standard error on a terminal, interrupts it after a while; returns what the terminal got, and the status."""
        leader, follower = pty.openpty()
        process = subprocess.Popen([TOOL, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower, text=True, env=self.environment())
        os.close(follower)
        text, end, told = b"", time.time() + seconds, False
        while True:
            if time.time() > end and not told:
                process.send_signal(signal.SIGINT)
                told = True
            if select.select([leader], [], [], 0.1)[0]:
                try:
                    piece = os.read(leader, 4096)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                text += piece
        out, _ = process.communicate(timeout=60)
        os.close(leader)
        return text.decode(), process.returncode, out

    def test_progress_and_interrupt(self):
        """Work of more than 2 s tells how far it is and how long it still takes, and ends at Ctrl-C with what it has."""
        slow = self.path("slow.hkt")
        self.tool("record", "-o", slow, "--", WORK, 100000, 0)
        for arguments in (["ab", "--lib", "libc,libc", "--budget", "1m", "--precision", "0.01", "--", WORK, 30000], ["bench", "micro", "--lib", "jemalloc"],
                          ["replay", slow, "--lib", "libc,jemalloc", "--rounds", 1000]):
            with self.subTest(arguments[0]):
                text, status, out = self.on_terminal(*arguments)
                self.assertRegex(text, r"\d+ ?%")
                self.assertRegex(text, r"left")
                self.assertEqual(status, 130)
                self.assertNotEqual(out, "")  # what was measured is shown

    def test_no_progress_elsewhere(self):
        process = subprocess.Popen([TOOL, "bench", "micro", "--lib", "jemalloc"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment())
        time.sleep(3.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((err, process.returncode), ("", 130))
        self.assertTrue(re.search("geometric mean", out))


if __name__ == "__main__":
    unittest.main(verbosity=1)
