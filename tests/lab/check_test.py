#!/usr/bin/env python3
"""`hakmem check`: which allocator serves a process or a command, for each that this machine has."""
import glob
import json
import os
import shutil
import subprocess
import time
import unittest

from ab_common import BUILD, LIBRARY, TOOL, WORK, LabTest, has_options, lab, system_python


def library(pattern):
    found = sorted(glob.glob(f"/usr/lib/*-linux-gnu/{pattern}"))
    return found[0] if found else None


PEERS = {"jemalloc": library("libjemalloc.so.2"), "mimalloc": library("libmimalloc.so.2"), "tcmalloc": library("libtcmalloc_minimal.so.4"),
         "tbbmalloc": library("libtbbmalloc_proxy.so.2")}


class Check(LabTest):
    def live(self, *command, **env):
        """A process that sleeps; its PID once the program itself runs."""
        p = subprocess.Popen(command, env=self.environment(**env), stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: (p.kill(), p.wait()))
        for _ in range(200):
            if os.readlink(f"/proc/{p.pid}/exe") == os.path.realpath(command[0]):
                break
            time.sleep(0.02)
        time.sleep(0.3)
        return p.pid

    def check(self, what, **more):
        return self.json("check", "--json", what, **more)

    def test_libc(self):
        d = self.check(self.live(WORK, WORK_SLEEP="60"))
        self.assertEqual((d["allocator"], d["how"], d["exact"]), ("libc", "linked", True))
        self.assertIn("libc.so.6", d["object"])

    def test_preloaded(self):
        for name, path in PEERS.items():
            if path:
                with self.subTest(name):
                    d = self.check(self.live(WORK, WORK_SLEEP="60", LD_PRELOAD=path))
                    self.assertEqual((d["allocator"], d["how"], d["object"]), (name, "preloaded", path))

    def test_options_of_peers(self):
        d = self.check(self.live(WORK, WORK_SLEEP="60", LD_PRELOAD=PEERS["mimalloc"], MIMALLOC_PURGE_DELAY="7"))
        self.assertEqual(d["options"]["MIMALLOC_PURGE_DELAY"], {"value": "7", "origin": "environment"})

    @unittest.skipUnless(os.path.exists(LIBRARY), "the library is not built yet")
    def test_hakmem(self):
        d = self.check(self.live(WORK, WORK_SLEEP="60", LD_PRELOAD=LIBRARY, HAKMEM_DECAY="77", HAKMEM_CONF="remote_batch:3,decay:5"))
        self.assertEqual((d["allocator"], d["how"]), ("hakmem", "preloaded"))
        self.assertEqual(d["options"]["decay"]["value"], "77")
        self.assertEqual(d["options"]["remote_batch"]["value"], "3")

    @unittest.skipUnless(has_options(), "the library has no options yet")
    def test_option_changed_by_the_program(self):
        """What is in force, not what was asked for."""
        d = self.check(self.live(WORK, WORK_SLEEP="60", WORK_SET="decay,4321", LD_PRELOAD=LIBRARY, HAKMEM_DECAY="77"))
        self.assertEqual(d["options"]["decay"], {"value": "4321", "origin": "memory"})

    def test_static(self):
        d = self.check(self.live(lab("run_static_prog"), "60"))
        self.assertEqual((d["allocator"], d["how"], d["exact"]), ("libc", "static", True))
        self.assertIn("libhakmem.a", d["refused"])

    def build(self, name, *arguments, compiler="cc"):
        with open(self.path("p.c"), "w") as f:
            f.write("#include <stdlib.h>\nint main(int c, char **v) { (void)v; void *p = malloc((size_t)c); free(p); return !p; }\n")
        subprocess.run([compiler, "-o", self.path(name), self.path("p.c"), *arguments], check=True, capture_output=True)
        return self.path(name)

    @unittest.skipUnless(shutil.which("musl-gcc"), "musl-gcc is not installed")
    def test_musl(self):
        self.assertEqual(self.check(self.build("static", "-static", compiler="musl-gcc"))["allocator"], "musl")
        d = self.check(self.build("dynamic", compiler="musl-gcc"))
        self.assertEqual(d["allocator"], "musl")
        self.assertIn("musl", d["refused"])

    @unittest.skipUnless(os.path.exists(os.path.join(BUILD, "libhakmem.a")), "libhakmem.a is not built")
    def test_allocator_built_in(self):
        archive = ["-Wl,--whole-archive", os.path.join(BUILD, "libhakmem.a"), "-Wl,--no-whole-archive", "-lpthread"]
        for name, more, how in (("dynamic", ["-Wl,--export-dynamic"], "built into the program"), ("static", ["-static"], "static")):
            with self.subTest(name):
                path = self.build(name, *more, *archive)
                d = self.check(path)
                self.assertEqual((d["allocator"], d["how"]), ("hakmem", how))
                subprocess.run(["strip", path], check=True)
                self.assertEqual(self.check(path)["allocator"], "hakmem")

    def test_commands(self):
        self.assertEqual(self.check("git")["allocator"], "libc")
        self.assertEqual(self.check(system_python())["allocator"], "libc")
        self.assertEqual(self.check("git", env=self.environment(LD_PRELOAD=PEERS["jemalloc"]))["allocator"], "jemalloc")

    @unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
    def test_linked(self):
        d = self.check("redis-server")
        self.assertEqual((d["allocator"], d["how"]), ("jemalloc", "linked"))

    def test_text(self):
        out, _ = self.tool("check", self.live(WORK, WORK_SLEEP="60", LD_PRELOAD=PEERS["jemalloc"]))
        self.assertIn("jemalloc, preloaded: /usr/lib", out)

    def test_bad_input(self):
        self.refused("check", says="which process or command")
        self.refused("check", "4194303", says=["4194303", "no such process"], status=1)
        self.refused("check", "99999999999", says="out of range")
        self.refused("check", "no-such-command", says="command not found", status=127)
        self.refused("check", "2", says="2:", status=1)  # a kernel thread
        out, _ = self.tool("check", "--help")
        self.assertIn("hakmem check 1234", out)

    @unittest.skipIf(os.getuid() != 0 or not shutil.which("setpriv"), "needs root, to become another user")
    def test_no_permission(self):
        pid = self.live(WORK, WORK_SLEEP="60")
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", TOOL, "check", str(pid)], capture_output=True, text=True)
        if done.returncode == 127 or "ermission denied" in done.stderr and "setpriv" in done.stderr:
            self.skipTest("the build directory is closed to other users")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sudo", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
