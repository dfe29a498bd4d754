"""What the tests of record, trace, replay and report share."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("HAK_BUILD", "build/release")
LAB = os.environ.get("HAK_LAB", os.path.join(BUILD, "lab"))
TOOL = os.path.join(BUILD, "hakmem")
PROG = os.path.join(LAB, "record_prog")
HERE = os.path.dirname(os.path.abspath(__file__))


class RecordTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="hakmem-lab-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *args, status=0, env=None, timeout=120):
        """Runs hakmem; checks its status unless that is None."""
        env = {k: v for k, v in (env or os.environ).items() if not k.startswith("HAKMEM_")}
        done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, timeout=timeout, env=env)
        if status is not None:
            self.assertEqual(done.returncode, status, f"{args}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def record(self, *command, name="r.hkt", status=0, env=None, options=()):
        out = self.path(name)
        done = self.tool("record", *options, "-o", out, "--json", "--", *command, status=status, env=env)
        self.assertEqual(done.stderr.count("LOST"), 0)
        return out

    def trace(self, recording, *options):
        return json.loads(self.tool("trace", "--json", *options, recording).stdout)

    def replay(self, recording, *options, status=0, timeout=200):
        return json.loads(self.tool("replay", "--json", *options, recording, status=status, timeout=timeout).stdout)


def library(name):
    """The file to preload for the allocator, "" for none."""
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        path = f"{folder}/lib{name}.so.2"
        if os.path.exists(path):
            return path
    return ""


def installed(name):
    """Is this allocator's library here?"""
    return bool(library(name))


PEERS = [p for p in ("jemalloc", "mimalloc") if installed(p)]
