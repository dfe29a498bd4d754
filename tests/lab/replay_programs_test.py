#!/usr/bin/env python3
"""`hakmem replay` of real programs: peak live bytes, and the ranking of allocators by the program's own peak RSS."""
import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
import time
import unittest

from record_common import LAB, PEERS, TOOL, RecordTest, library

ALL = ["libc", *PEERS]
LIBC = os.path.join(LAB, "replay_libc_lib.so")


@unittest.skipUnless(len(PEERS) == 2, "jemalloc and mimalloc are needed")
class RealPrograms(RecordTest):
    """Peak live bytes to 1 %, and the order of the allocators by the real program's peak RSS wherever that differs by more than 1 %.

    What a library takes by being loaded (library_rss) counts where the program alone would not load it: redis-server links jemalloc."""

    def judge(self, name, recording, real, process, key, loads=True, options=()):
        r = self.replay(recording, "--lib", ",".join(ALL), "--rounds", 1, "--process", process, *options)
        peak = r["recorded_peak_live"]
        got = {}
        for label, a in zip(ALL, r["allocators"]):
            self.assertAlmostEqual(a["peak_live"] / peak, 1, delta=0.01)
            got[label] = a[key] + (a["library_rss"] if loads and key == "peak_rss" else 0)
        for label in ALL:
            print(f"{name}: {label} real {real[label] / 1e6:.2f} MB, replay {got[label] / 1e6:.2f} MB", file=sys.stderr)
        for a in ALL:
            for b in ALL:
                if real[a] < real[b] * 0.99:
                    self.assertLess(got[a], got[b], f"{name}: {a} and {b}")
        self.assertEqual(r["unknown_frees"], 0)

    def peak(self, command, env, lib):
        """Peak RSS of the real program: the lesser of two runs."""
        env = dict(env)
        if lib:
            env["LD_PRELOAD"] = lib
        least = None
        for _ in range(2):
            p = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = status
            self.assertEqual(status, 0)
            least = min(least or usage.ru_maxrss, usage.ru_maxrss)
        return least * 1024

    def compare(self, name, command, env, keys, process):
        real = {n: self.peak(command, env, "" if n == "libc" else library(n)) for n in ALL}
        recording = self.record(*command, env=env)
        for key, options in keys:
            self.judge(f"{name} {key} {options}", recording, real, process, key, options=options)

    def test_python(self):
        script = self.path("work.py")
        with open(script, "w", encoding="utf-8") as f:
            f.write("import json, random\nrandom.seed(1)\nd = {str(i): [random.random(), 'v%d' % i, {'k': i}] for i in range(25000)}\n"
                    "e = json.loads(json.dumps(d))\nfor i in range(0, 25000, 2): del e[str(i)]\n"
                    "x = [bytes(random.randrange(10, 3000)) for _ in range(5000)]\n"
                    "for i in range(0, 5000, 3): x[i] = None\ny = [bytearray(random.randrange(10, 3000)) for _ in range(2500)]\n")
        for mode in ("pymalloc", "malloc"):
            env = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONMALLOC": mode}
            self.compare(f"python3 ({mode})", ["/usr/bin/python3", script], env, (("peak_rss", ()), ("program_peak_rss_estimate", ())), "python")

    def test_cc1plus(self):
        if not shutil.which("g++"):
            self.skipTest("no g++")
        source = self.path("big.cc")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <map>\n#include <string>\n#include <vector>\n#include <iostream>\nint main() { std::map<std::string, std::vector<int>> m; "
                    "m[\"a\"].push_back(1); std::cout << m.size(); }\n")
        out = subprocess.run(["g++", "-O1", "-###", "-c", source, "-o", os.devnull], capture_output=True, text=True, check=True).stderr
        command = shlex.split([line for line in out.splitlines() if "cc1plus" in line][0])
        command[command.index("-o") + 1] = os.devnull
        self.compare("cc1plus", command, dict(os.environ), (("program_peak_rss_estimate", ()), ("program_peak_rss_estimate", ("--timing",))), "cc1plus")

    def redis(self, lib, recording=None):
        """Serves a fixed workload on a socket in our folder; the server's peak RSS."""
        place = self.path("s")
        command = ["redis-server", "--port", "0", "--unixsocket", place, "--save", "", "--dir", self.dir, "--logfile", self.path("log")]
        before = [TOOL, "record", "-o", recording, "--"] if recording else []
        p = subprocess.Popen(before + command, env={**os.environ, "LD_PRELOAD": lib}, stderr=subprocess.DEVNULL)
        c = socket.socket(socket.AF_UNIX)
        try:
            c.settimeout(60)
            for _ in range(500):
                try:
                    c.connect(place)
                    break
                except OSError:
                    time.sleep(0.02)
            replies = c.makefile("rb")
            self.addCleanup(replies.close)

            def send(commands):
                c.sendall(b"".join(b"*%d\r\n" % len(w) + b"".join(b"$%d\r\n%s\r\n" % (len(x), x) for x in w) for w in commands))
                return [replies.readline() for _ in commands]

            r = random.Random(2)
            for at in range(0, 60000, 500):
                send([(b"SET", b"key:%d" % i, b"x" * r.randrange(10, 400)) for i in range(at, at + 500)])
            for at in range(0, 60000, 500):
                send([(b"DEL", b"key:%d" % i) for i in range(at, at + 500, 2)])
            for at in range(0, 30000, 500):
                send([(b"RPUSH", b"list:%d" % (i % 100), b"y" * r.randrange(10, 900)) for i in range(at, at + 500)])
            c.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
            pid = None
            while pid is None:
                line = replies.readline()
                self.assertTrue(line, "redis-server went away")
                if line.startswith(b"process_id:"):
                    pid = int(line.split(b":")[1])
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                peak = [int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM")][0]
            c.sendall(b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n")
            p.wait(60)
            return peak
        finally:
            c.close()
            if p.poll() is None:
                p.terminate()
                p.wait(30)

    def test_redis(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server")
        real = {n: min(self.redis(LIBC if n == "libc" else library(n)) for _ in range(2)) for n in ALL}
        out = self.path("redis.hkt")
        self.redis(LIBC, out)
        self.judge("redis-server", out, real, "redis", "peak_rss", loads=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
