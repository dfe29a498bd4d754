#!/usr/bin/env python3
"""`hakmem run` with real programs: what it serves, what it refuses and why, and the proof at the end."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

from ab_common import LIBRARY, TOOL, WORK, LabTest, has_options, lab, system_python

# Any allocator shows what run does; hakmem's own library as soon as it is built.
LIB = [] if os.path.exists(LIBRARY) else ["--lib", "jemalloc"]


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


class Programs(LabTest):
    """Each program must do its work, and every process of it must have been served."""

    def served(self, *command, says=None, remark=None):
        path = self.path("stats.json")
        out, _ = self.tool("run", *LIB, f"--json={path}", "--", *command)
        with open(path) as f:
            d = json.load(f)
        self.assertTrue(d["served"], d["problem"])
        self.assertGreater(d["totals"]["allocs"], 0)
        self.assertGreater(d["totals"]["bytes"], 0)
        self.assertGreater(d["totals"]["wall"], 0)
        self.assertGreater(d["totals"]["peak_rss"], 100000)
        self.assertGreater(d["totals"]["minor_faults"], 0)
        if says:
            self.assertIn(says, out)
        if remark:
            self.assertIn(remark, d["remark"])
        return d

    def test_python(self):
        self.served(system_python(), "-c", "print(sum(len(str(i)) for i in range(20000)))", says="88890", remark="PYTHONMALLOC")

    def test_git(self):
        os.mkdir(self.path("r"))
        self.served("git", "-C", self.path("r"), "init", "-q")
        self.served("git", "-C", self.path("r"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one")
        self.served("git", "-C", self.path("r"), "log", "--oneline", says="one")

    @needs("java")
    def test_java(self):
        self.served("java", "-version", remark="JVM")

    @needs("node")
    def test_node(self):
        self.served("node", "-e", "console.log([1,2,3].map(x => x * 2).join())", says="2,4,6", remark="V8")

    @needs("redis-server")
    def test_redis(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        path = self.path("redis.json")
        server = subprocess.Popen([TOOL, "run", *LIB, f"--json={path}", "--", "redis-server", "--port", str(port), "--save", "", "--dir", self.home],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment())
        try:
            for _ in range(100):
                time.sleep(0.1)
                try:
                    client = socket.create_connection(("127.0.0.1", port), 1)
                    break
                except OSError:
                    continue
            with client:
                client.sendall(b"SET a b\r\n")
                self.assertEqual(client.recv(100), b"+OK\r\n")
                client.sendall(b"GET a\r\n")
                self.assertEqual(client.recv(100), b"$1\r\nb\r\n")
                client.sendall(b"SHUTDOWN NOSAVE\r\n")
            self.assertEqual(server.wait(20), 0)
        finally:
            server.kill()
            server.communicate()
        with open(path) as f:
            self.assertTrue(json.load(f)["served"])

    @needs("go")
    def test_go(self):
        with open(self.path("a.go"), "w") as f:
            f.write('package main\nfunc main() { println("from go") }\n')
        env = self.environment(GOCACHE=self.path("cache"), GO111MODULE="off", CGO_ENABLED="0")
        subprocess.run(["go", "build", "-o", self.path("a"), self.path("a.go")], check=True, env=env)
        self.refused("run", *LIB, "--", self.path("a"), says=["Go has its own allocator", "static"], status=126)
        with open(self.path("b.go"), "w") as f:
            f.write('package main\n// #include <stdlib.h>\nimport "C"\nfunc main() { C.free(C.malloc(10)); println("from cgo") }\n')
        env["CGO_ENABLED"] = "1"
        subprocess.run(["go", "build", "-o", self.path("b"), self.path("b.go")], check=True, env=env)
        _, err = self.tool("run", *LIB, "--stats", "--", self.path("b"))
        self.assertIn("Go has its own allocator", err)
        self.assertIn("from cgo", err)

    def test_script(self):
        with open(self.path("script"), "w") as f:
            f.write(f"#!{system_python()}\nprint('from a script')\n")
        os.chmod(self.path("script"), 0o755)
        self.served(self.path("script"), says="from a script")
        with open(self.path("plain"), "w") as f:  # no #! line: /bin/sh runs it
            f.write("echo from sh\n")
        os.chmod(self.path("plain"), 0o755)
        self.served(self.path("plain"), says="from sh")

    def test_exec_and_children(self):
        d = self.served("sh", "-c", f"{WORK} 10 >/dev/null; exec {WORK} 100", says="ops/s")
        programs = [os.path.basename(p["exe"]) for p in d["processes"] if p["event"] == "exit"]
        self.assertEqual(programs.count("ab_work_prog"), 2)

    def test_counts_are_exact(self):
        one = self.served(WORK, 1000, 0)["totals"]
        two = self.served(WORK, 3000, 0)["totals"]
        self.assertEqual(two["allocs"] - one["allocs"], 2000)
        self.assertEqual(two["bytes"] - one["bytes"], 2000 * 64)
        self.assertEqual(two["frees"] - one["frees"], 2000)

    def test_fork_without_exec(self):
        d = self.served(system_python(), "-c", "import os\nif os.fork() == 0:\n os._exit(0)\nos.wait()")
        self.assertEqual(sum(p["event"] == "exit" for p in d["processes"]), 2)

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_settings(self):
        d = self.served(WORK, 10)
        self.assertEqual(d["processes"][0]["options"]["force_libc"], "0")
        path = self.path("set.json")
        for arguments, wanted in ((["--libc"], ("1", "1000")), (["--set", "decay=123"], ("0", "123"))):
            self.tool("run", *arguments, f"--json={path}", "--", WORK, 10)
            with open(path) as f:
                options = json.load(f)["processes"][-1]["options"]
            self.assertEqual((options["force_libc"], options["decay"]), wanted)
        self.refused("run", "--libc", "--set", "decay=123", "--", WORK, says=["decay=123 has no effect", "drop one"])
        self.refused("run", "--lib", lab("planted_same.so"), "--set", "decay=123", "--", WORK, says=["no effect", "planted_same.so"])


class Text(LabTest):
    def test_stats(self):
        _, err = self.tool("run", *LIB, "--stats", "--", WORK, 100)
        for text in ("served by", WORK, "allocations", "peak RSS", "wall", "faults", "in all"):
            self.assertIn(text, err)

    def test_without_stats_nothing_is_added(self):
        out, err = self.tool("run", *LIB, "--", "sh", "-c", "echo out; echo err >&2; echo $HAK_PROBE")
        self.assertEqual((out, err), ("out\n\n", "err\n"))

    def test_keeps_the_environment(self):
        out, _ = self.tool("run", *LIB, "--", "sh", "-c", "echo $ABC", env=self.environment(ABC="def"))
        self.assertEqual(out, "def\n")

    def test_help(self):
        out, _ = self.tool("run", "--help")
        self.assertIn("hakmem run --stats --set decay=0", out)


class Refused(LabTest):
    def test_static(self):
        self.refused("run", *LIB, "--", lab("run_static_prog"), says=["statically linked", "libhakmem.a"], status=126)

    def test_setuid(self):
        copy = self.path("setuid")
        shutil.copy(WORK, copy)
        os.chmod(copy, 0o4755)
        self.refused("run", *LIB, "--", copy, says=["setuid", "LD_PRELOAD"], status=126)

    @needs("musl-gcc")
    def test_musl(self):
        with open(self.path("m.c"), "w") as f:
            f.write("int main(void) { return 0; }\n")
        subprocess.run(["musl-gcc", "-o", self.path("m"), self.path("m.c")], check=True)
        self.refused("run", *LIB, "--", self.path("m"), says="musl", status=126)

    def test_commands(self):
        self.refused("run", says="no command to run")
        self.refused("run", *LIB, "--", "no-such-command", says="command not found", status=127)
        self.refused("run", *LIB, "--", "/etc/passwd", says="/etc/passwd", status=126)
        self.refused("run", *LIB, "--", "/tmp", says="directory", status=126)
        self.refused("run", "--set", "decya=1", "--", "true", says='did you mean "decay"')
        self.refused("run", "--set", "decay", "--", "true", says="OPTION=VALUE")
        self.refused("run", "--set", "decay=soon", "--", "true", says=["soon", "0..3600000"])
        self.refused("run", "--lib", "libc", "--set", "decay=1", "--", "true", says="no effect")
        self.refused("run", "--lib", "/no/such.so", "--", "true", says="/no/such.so")
        self.refused("runn", says='did you mean "run"')

    def test_not_served(self):
        """A program that drops the environment is found out."""
        _, err = self.tool("run", *LIB, "--stats", "--", "env", "-i", "sh", "-c", "exit 0", status=5)
        self.assertIn("env became sh", err)
        self.assertIn("replaced by exec", err)
        self.tool("run", *LIB, "--stats", "--", "env", WORK, 10)


class Statuses(LabTest):
    def test_statuses(self):
        for stats in ([], ["--stats"]):
            self.tool("run", *LIB, *stats, "--", "sh", "-c", "exit 42", status=42)
        self.tool("run", *LIB, "--stats", "--", "sh", "-c", "kill -SEGV $$", status=128 + signal.SIGSEGV)
        self.tool("run", *LIB, "--", "sh", "-c", "kill -SEGV $$", status=-signal.SIGSEGV)

    def test_signals_reach_the_command(self):
        p = subprocess.Popen([TOOL, "run", *LIB, "--stats", "--", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"], env=self.environment(),
                             stderr=subprocess.PIPE)
        time.sleep(1)
        p.terminate()
        p.communicate(timeout=20)
        self.assertEqual(p.returncode, 7)


if __name__ == "__main__":
    unittest.main(verbosity=1)
