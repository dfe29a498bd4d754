#!/usr/bin/env python3
"""The completions in real shells on a terminal: what the Tab key makes of a line."""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from ab_common import BUILD, LabTest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "../../tools/hakmem/completion")
END = "<<<"
CASES = (  # what is typed before Tab; what the line becomes
    ("hakmem opt", "hakmem options"),
    ("hakmem help rec", "hakmem help record"),
    ("hakmem ab --prim", "hakmem ab --primary"),
    ("hakmem ab --primary insi", "hakmem ab --primary inside"),
    ("hakmem run --set magazine_b", "hakmem run --set magazine_bytes="),
    ("hakmem ab --gate remote_b", "hakmem ab --gate remote_batch="),
    ("hakmem ab --lib jemalloc,mim", "hakmem ab --lib jemalloc,mimalloc"),
    ("hakmem bench random_m", "hakmem bench random_mixed"),
    ("hakmem bench --bud", "hakmem bench --budget"),
    ("hakmem options magazine_b", "hakmem options magazine_bytes"),
    ("hakmem record --scr", "hakmem record --scratch"),
    ("hakmem replay --tim", "hakmem replay --timing"),
    ("hakmem replay --lib mim", "hakmem replay --lib mimalloc"),
    ("hakmem trace --li", "hakmem trace --list"),
    ("hakmem report --chart schem", "hakmem report --chart schemes"),
    ("hakmem report resul", "hakmem report result.json"),
    ("hakmem check --js", "hakmem check --json"),
    ("hakmem run -- resul", "hakmem run -- result.json"),
)


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, command, env, cwd, setup):
        self.leader, follower = pty.openpty()
        self.process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env, cwd=cwd, start_new_session=True)
        os.close(follower)
        self.type(setup + "\n")
        self.until("READY" + END)

    def type(self, text):
        os.write(self.leader, text.encode())

    def until(self, end, seconds=20):
        text, stop = "", time.time() + seconds
        while end not in text and time.time() < stop:
            if select.select([self.leader], [], [], 0.2)[0]:
                text += os.read(self.leader, 4096).decode(errors="replace")
        return text

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.leader)


class Completion(LabTest):
    def shell(self, command, setup):
        with open(self.path("result.json"), "w") as f:
            f.write("{}")
        os.chmod(self.path("result.json"), 0o755)
        env = self.environment(PATH=f"{BUILD}:{os.environ['PATH']}", TERM="dumb", PS1="$ ", INPUTRC="/dev/null", COLUMNS="200")
        shell = Shell(command, env, self.home, setup)
        self.addCleanup(shell.close)
        return shell

    def check(self, shell, cases):
        """After Tab the line is put between quotes behind echo (Ctrl-A, Ctrl-E), so that the shell says what it is now."""
        for typed, wanted in cases:
            with self.subTest(typed):
                shell.type(typed + "\t")
                shell.type("\x01echo '\x05" + END + "'\n")
                text = shell.until(END + "\r\n")
                lines = re.findall(rf"(?m)^(hakmem .*?) ?{END}\r?$", text.replace("\r\r", "\r"))
                self.assertTrue(lines, text)
                self.assertEqual(lines[-1].rstrip(), wanted)

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_bash(self):
        setup = f"PS1='$ '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {SCRIPTS}/hakmem.bash; echo READY'{END}'"
        shell = self.shell(["bash", "--norc", "--noprofile", "-i"], setup)
        self.check(shell, CASES + (("hakmem run --set thp=alw", "hakmem run --set thp=always"), ("hakmem run --lib=jem", "hakmem run --lib=jemalloc")))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        setup = f"PS1='$ '; unsetopt prompt_sp zle_bracketed_paste 2>/dev/null; bindkey -e; fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D; echo READY'{END}'"
        self.check(self.shell(["zsh", "-f", "-i"], setup), CASES)


if __name__ == "__main__":
    unittest.main(verbosity=1)
