#!/usr/bin/env python3
"""`hakmem options`, `hakmem` itself, the manual page and the completions: they all come from, or agree with, one table."""
import os
import re
import shutil
import subprocess
import unittest

from ab_common import LIBRARY, TOOL, LabTest, has_options, system_python

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def table():
    with open(os.path.join(SOURCE, "src/gates/gates.def")) as f:
        text = f.read()
    return re.findall(r'^HAK_GATE\((\w+), +(\w+), +"([^"]*)", *(\w+), *(\w+), *(\w+), *(\w+), *(\w+), *"([^"]*)", *"([^"]*)", *"([^"]*)"\)', text, re.M)


class Options(LabTest):
    def options(self, *names, **env):
        d = self.json("options", "--json", *names, env=self.environment(**env))
        return {o["name"]: o for o in d["options"]}, d["warnings"]

    def test_the_whole_table(self):
        rows = table()
        self.assertGreater(len(rows), 5)
        options, warnings = self.options()
        self.assertEqual(list(options), [r[0] for r in rows])
        self.assertEqual(warnings, [])
        for row in rows:
            o = options[row[0]]
            self.assertEqual(o["environment"], "HAKMEM_" + row[0].upper())
            self.assertEqual((o["box"], o["record"], o["text"]), row[8:11])
            self.assertEqual(o["state"], row[7].lower())
            self.assertTrue(o["kind"].startswith(("folded", "cold", "build")))
            self.assertEqual((o["origin"], o["value"]), ("default", o["default"]))

    def test_where_values_come_from(self):
        options, _ = self.options(HAKMEM_DECAY="5", HAKMEM_CONF="decay:7,remote_batch:9", HAKMEM_MAGAZINE_BYTES="64K")
        self.assertEqual((options["decay"]["value"], options["decay"]["origin"]), ("5", "environment"))
        self.assertEqual((options["remote_batch"]["value"], options["remote_batch"]["origin"]), ("9", "HAKMEM_CONF"))
        self.assertEqual(options["magazine_bytes"]["value"], "65536")

    def test_bad_values(self):
        options, warnings = self.options(HAKMEM_DECAY="soon", HAKMEM_THP="sometimes", HAKMEM_DECAI="1", HAKMEM_WRAP_TINY="1", HAKMEM_CONF="x:1,nonsense")
        self.assertIn("soon", options["decay"]["problem"])
        self.assertEqual(options["decay"]["value"], "1000")
        self.assertIn("never|default|always", options["thp"]["problem"])
        text = "\n".join(warnings)
        for part in ("DECAI: no such option; did you mean decay", "WRAP_TINY: replaced by", "HAKMEM_CONF: x", '"nonsense" is not option:value'):
            self.assertIn(part, text)

    def test_text(self):
        out, _ = self.tool("options")
        for row in table():
            self.assertRegex(out, rf"(?m)^{row[0]} ")
        out, _ = self.tool("options", "--all")
        for part in ("HAKMEM_DECAY", "kind cold", "state settled", "box purge", "names of older versions", "wrap_tiny"):
            self.assertIn(part, out)
        self.refused("options", "decya", says='did you mean "decay"')

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_the_library_agrees(self):
        """What the tool says a program would get is what the library reports inside a program."""
        script = ("import ctypes, sys\nlib = ctypes.CDLL(None)\nbuf = ctypes.create_string_buffer(80)\n"
                  "for n in sys.argv[1:]:\n lib.hak_option_get(n.encode(), buf, 80)\n print(n, buf.value.decode())")
        env = self.environment(HAKMEM_DECAY="5", HAKMEM_CONF="thp:always,remote_batch:900", HAKMEM_MAGAZINE_BYTES="1M", HAKMEM_WORKER="maybe")
        options = {o["name"]: o["value"] for o in self.json("options", "--json", env=env)["options"]}
        out = subprocess.run([system_python(), "-c", script, *options], env={**env, "LD_PRELOAD": LIBRARY}, capture_output=True, text=True).stdout
        self.assertEqual(dict(line.split() for line in out.splitlines()), options)


class Tool(LabTest):
    VERBS = ["run", "check", "options", "ab", "bench"]

    def test_help(self):
        out, _ = self.tool("--help")
        for verb in self.VERBS:
            self.assertRegex(out, rf"(?m)^  {verb} ")
            text, _ = self.tool(verb, "--help")
            self.assertIn("example", text)
            self.assertEqual(self.tool("help", verb)[0], text)
        self.assertEqual(self.tool(status=2)[0], "")
        self.assertRegex(self.tool("--version")[0], r"^hakmem \d+\.\d+\.\d+\n")

    def test_unknown(self):
        self.refused("chekc", says='did you mean "check"')
        self.refused("options", "--al1", says="unrecognized")

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_manual(self):
        page = os.path.join(SOURCE, "tools/hakmem/hakmem.1")
        done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env=self.environment(MANWIDTH="100"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for verb in self.VERBS:
            self.assertIn(f"hakmem {verb}", done.stdout)
            for option in re.findall(r"--[a-z-]+", self.tool(verb, "--help")[0]):
                if option not in ("--usage", "--help", "--port"):
                    self.assertIn(option, done.stdout, f"{verb} {option} is not in the manual page")
        for status in ("0", "1", "2", "3", "4", "5", "126", "127", "130"):
            self.assertRegex(done.stdout, rf"(?m)^ +{status} ")

    def complete(self, *words):
        script = os.path.join(SOURCE, "tools/hakmem/completion/hakmem.bash")
        line = " ".join(words)
        code = (f"source {script}; COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE={line!r}; COMP_POINT={len(line)}; "
                "_hakmem; printf '%s\\n' \"${COMPREPLY[@]}\"")
        env = self.environment(PATH=os.path.dirname(TOOL) + ":" + os.environ["PATH"])
        return subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=env, check=True).stdout.split()

    def test_bash_completion(self):
        self.assertEqual(self.complete("hakmem", "o"), ["options"])
        self.assertLessEqual(set(self.VERBS), set(self.complete("hakmem", "")))
        self.assertIn("--gate", self.complete("hakmem", "ab", "--"))
        self.assertIn("decay=", self.complete("hakmem", "run", "--set", "de"))
        self.assertIn("--json", self.complete("hakmem", "check", "--j"))
        self.assertIn("wall", self.complete("hakmem", "ab", "--primary", ""))
        self.assertIn("decay", self.complete("hakmem", "options", "de"))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completion(self):
        done = subprocess.run(["zsh", "-n", os.path.join(SOURCE, "tools/hakmem/completion/_hakmem")], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(os.path.join(SOURCE, "tools/hakmem/completion/_hakmem")) as f:
            text = f.read()
        for verb in self.VERBS:
            for option in re.findall(r"--[a-z-]+", self.tool(verb, "--help")[0]):
                if option not in ("--usage", "--help", "--port"):
                    self.assertIn(option, text)


if __name__ == "__main__":
    unittest.main(verbosity=1)
