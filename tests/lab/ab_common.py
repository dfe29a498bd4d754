"""What the tests of the command line share: running it, and the programs and libraries that they run it on."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.path.abspath(os.environ.get("HAK_BUILD", "build/release"))
LAB = os.environ.get("HAK_LAB", os.path.join(BUILD, "lab"))
TOOL = os.path.join(BUILD, "hakmem")
WORK = os.path.join(LAB, "ab_work_prog")
LIBRARY = os.path.join(BUILD, "libhakmem.so")


def lab(name):
    return os.path.join(LAB, name)


def system_python():
    """An interpreter that is no version manager's shell script."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else shutil.which("python3")


def has_options():
    """Does the built library export its options? (A build without it can still run everything that needs none.)"""
    if not os.path.exists(LIBRARY):
        return False
    return "hak_option_get" in subprocess.run(["nm", "-D", LIBRARY], capture_output=True, text=True).stdout


class LabTest(unittest.TestCase):
    """Runs the tool in a home of its own."""

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="hakmem-lab-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HAKMEM_", "LD_PRELOAD", "XDG_STATE", "MALLOC_", "MIMALLOC_"))}
        env.update(HOME=self.home, LANG="C.UTF-8", **more)
        return env

    def path(self, name):
        return os.path.join(self.home, name)

    def tool(self, *args, status=0, env=None, timeout=120, **more):
        """Runs the tool and returns (stdout, stderr); the exit status must be the expected one (None: any), and is kept as self.status."""
        done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                              env=env or self.environment(), stdin=subprocess.DEVNULL, **more)
        self.status = done.returncode
        if status is not None:
            self.assertEqual(done.returncode, status, f"hakmem {' '.join(map(str, args))}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def json(self, *args, status=0, **more):
        return json.loads(self.tool(*args, status=status, **more)[0])

    def refused(self, *args, says, status=2):
        """The tool must end with that status, print nothing on stdout, and say all of these."""
        out, err = self.tool(*args, status=status)
        self.assertEqual(out, "")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, err)
