#!/usr/bin/env python3
"""The examples of `hakmem run`, check, options, ab and bench, in --help and in the manual page, run as they stand: only what takes minutes is cut short
by an option put in behind the verb. (report_test.py has those of record, replay, trace and report.)"""
import os
import re
import shutil
import socket
import subprocess
import unittest

from ab_common import BUILD, LIBRARY, TOOL, WORK, LabTest

HERE = os.path.dirname(os.path.abspath(__file__))
VERBS = ("run", "check", "options", "ab", "bench")
SHORTER = {"ab": "--budget 0", "bench": "--quick"}  # "ab show" and the budget of the example itself come later and win


@unittest.skipUnless(os.path.exists(LIBRARY), "the library is not built")
class Examples(LabTest):
    def lines(self):
        with open(os.path.join(HERE, "../../tools/hakmem/hakmem.1"), encoding="utf-8") as f:
            manual = f.read().split(".SH EXAMPLES")[1].split(".fi")[0].replace("\\-", "-")
        found = [line for line in manual.splitlines() if re.match(rf"hakmem ({'|'.join(VERBS)}) ", line)]
        self.assertGreaterEqual(len(found), 5)
        for verb in VERBS:
            of_verb = re.findall(r"(?m)^  ((?:HAKMEM_\S+ )?hakmem .*)$", self.tool(verb, "--help")[0])
            self.assertGreaterEqual(len(of_verb), 2, verb)
            found += of_verb
        return [line.split("            (")[0].strip() for line in found]

    def script(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), 0o755)

    def test_examples(self):
        self.script("job.py", "print(sum(len(str(i)) for i in range(20000)))\n")
        self.script("bench", f"#!/bin/sh\nexec {WORK} 1000\n")
        shutil.copy(self.path("bench"), self.path("server-bench"))
        os.symlink("/usr/bin/python3", self.path("python3"))
        server = subprocess.Popen(["sleep", "300"])
        self.addCleanup(lambda: (server.kill(), server.wait()))
        self.script("pidof", f"#!/bin/sh\necho {server.pid}\n")  # nobody has to have a redis-server running
        env = self.environment(PATH=f"{self.home}:{BUILD}:{os.environ['PATH']}")
        ran = 0
        for line in self.lines():
            words = line.split()
            verb = words[words.index("hakmem") + 1]
            if ("redis-server" in line and not shutil.which("redis-server")) or "mimalloc" in line and not self.known("mimalloc") or (
                    "jemalloc" in line and not self.known("jemalloc")):
                continue
            if verb in SHORTER and "show" not in words:
                line = line.replace(f"hakmem {verb}", f"hakmem {verb} {SHORTER[verb]}", 1).replace("--budget 5m", "--budget 0")
            line = line.replace("check 1234", f"check {server.pid}")
            if "--port" in words:
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    line = line.replace("7000", str(free.getsockname()[1]))
                line = f"timeout 2 {line} || [ $? = 124 ]"  # a server goes on until it is told
            done = subprocess.run(["bash", "-ec", line], cwd=self.home, env=env, capture_output=True, text=True, timeout=300)
            good = (0, 3, 4) if verb == "ab" else (0,)
            self.assertIn(done.returncode, good, f"{line}\n{done.stdout[-500:]}\n{done.stderr[-1000:]}")
            ran += 1
        self.assertGreater(ran, 8)

    def known(self, name):
        return subprocess.run([TOOL, "run", "--lib", name, "--", "true"], capture_output=True, env=self.environment()).returncode == 0


if __name__ == "__main__":
    unittest.main(verbosity=1)
