#!/usr/bin/env python3
"""Runs a real program twice, by libc and under the library, and demands the same output: real.py --lib LIBHAKMEM NAME

Proof that the library served it: the dynamic linker's own record (LD_DEBUG=bindings) of which malloc each process was bound to. Every
process that the program started must have been bound to the library's. An exit status of 77 means that the program is not installed."""
import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SKIP = 77
LIMIT = 130  # seconds for one command; twice that is less than what the test may take
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {}


class Failure(Exception):
    """What went wrong, for people."""


def program(*needs):
    """Registers a function(run, folder) -> text under its name; needs are the commands that it calls."""

    def register(function):
        PROGRAMS[function.__name__] = (function, needs)
        return function

    return register


def stacks(session):
    """Where each thread of each process of the session is: for a hang, of which nothing else is left."""
    found = []
    for entry in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        try:
            if os.getsid(int(entry)) != session:
                continue
            with open("/proc/%s/cmdline" % entry) as line:
                found.append("process %s: %s" % (entry, line.read().replace("\0", " ")[:200]))
            for thread in os.listdir("/proc/%s/task" % entry):
                facts = []
                for name in "comm", "wchan", "syscall":
                    with open("/proc/%s/task/%s/%s" % (entry, thread, name)) as file:
                        facts.append(file.read().strip())
                found.append("  thread %s: %s" % (thread, ", ".join(facts)))
        except OSError:
            continue
        if shutil.which("gdb"):
            debugger = subprocess.run(["gdb", "-p", entry, "-batch", "-ex", "thread apply all backtrace 25"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
            found.append(debugger.stdout.decode(errors="replace"))
    return "\n".join(found)


class Runner:
    """Runs commands in a clean environment, with or without the library."""

    def __init__(self, library, folder):
        self.library, self.folder = library, folder
        self.records = os.path.join(folder, "ld")
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.env.update(GIT_AUTHOR_DATE="1700000000 +0000", GIT_COMMITTER_DATE="1700000000 +0000", GIT_CONFIG_NOSYSTEM="1")
        for who in ("GIT_AUTHOR", "GIT_COMMITTER"):
            self.env.update({who + "_NAME": "tester", who + "_EMAIL": "tester@example.org"})
        if library:
            self.env.update(LD_PRELOAD=library, LD_DEBUG="bindings", LD_DEBUG_OUTPUT=self.records)

    def __call__(self, *command, stdin=None, env=(), cwd=None):
        """The command's stdout; a status other than 0 is a failure with the end of its stderr."""
        settings = dict(self.env, **dict(env))
        run = subprocess.Popen(command, env=settings, cwd=cwd or self.folder, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = run.communicate(stdin, timeout=LIMIT)
        except subprocess.TimeoutExpired as late:
            where = stacks(run.pid)
            os.killpg(run.pid, signal.SIGKILL)
            raise Failure("%s: did not end in %d s\n%s" % (" ".join(command)[:200], LIMIT, where)) from late
        if run.returncode:
            tail = (out[-2000:] + err[-2000:]).decode(errors="replace")
            raise Failure("%s: status %d\n%s" % (" ".join(command)[:200], run.returncode, tail))
        if b"hakmem:" in err:
            raise Failure("%s: %s" % (command[0], err.decode(errors="replace")[-500:]))
        return out

    def prove(self):
        """Number of processes, all of which must have been bound to the library's malloc."""
        name = re.escape(os.path.basename(os.path.realpath(self.library)).split(".so")[0])
        ours = re.compile(r" to \S*%s\.so\S* \[\d+\]: normal symbol `malloc'" % name)
        total, without = 0, []
        for entry in os.listdir(self.folder):
            if not entry.startswith("ld."):
                continue
            with open(os.path.join(self.folder, entry), errors="replace") as record:
                text = record.read()
            if "`malloc'" not in text:
                continue  # a fork that bound nothing new
            total += 1
            if not ours.search(text):
                without.append(text.splitlines()[0][:200])
        if without or not total:
            raise Failure("not served by %s: %d of %d processes\n%s" % (name, len(without), total, "\n".join(without[:5])))
        return total


def digest(data):
    """What of a long output is compared and printed."""
    return "%s (%d bytes)" % (hashlib.sha256(data).hexdigest()[:16], len(data))


def python_tests(run, *arguments):
    """CPython's own tests with every object in malloc."""
    probe = subprocess.run(["/usr/bin/python3", "-c", "import test.test_list"], stderr=subprocess.DEVNULL, check=False)
    if probe.returncode:
        print("skipped: python3's own tests are not installed (Debian: libpython3.11-testsuite)")
        sys.exit(SKIP)
    out = run("/usr/bin/python3", "-m", "test", *arguments, env={"PYTHONMALLOC": "malloc"}).decode(errors="replace")
    if "SUCCESS" not in out:
        raise Failure(out[-2000:])
    found = re.search(r"All \d+ tests OK|1 test OK", out)
    return found.group(0) if found else "SUCCESS"


@program("/usr/bin/python3")
def python_objects(run, _folder):
    """Containers and JSON."""
    return python_tests(run, "test_list", "test_dict", "test_json")


@program("/usr/bin/python3")
def python_threading(run, _folder):
    """Threads, fork in threads."""
    return python_tests(run, "test_threading")


@program("/usr/bin/python3")
def python_fork(run, _folder):
    """Pools and queues of forked processes, but for two tests that expect the other process to be done in 0.1 s."""
    return python_tests(run, "test_multiprocessing_fork", "-m", "WithProcessesTestQueue", "-m", "WithProcessesTestPool",
                        "-m", "WithThreadsTestPool", "-i", "*TestQueue.test_put", "-i", "*TestQueue.test_get")


@program("/usr/bin/python3")
def python_work(run, _folder):
    """Objects of all lifetimes, compiled code, big integers, threads."""
    return digest(run("/usr/bin/python3", os.path.join(HERE, "work.py"), env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}))


@program("git")
def git(run, folder):
    """A history of 400 commits: import, repack, fsck, blame, log."""
    repository = os.path.join(folder, "repository")
    run("git", "init", "-q", "-b", "main", repository)
    run("git", "fast-import", "--quiet", stdin=fast_import_stream().encode(), cwd=repository)
    run("git", "gc", "--aggressive", "--prune=now", "-q", cwd=repository)
    run("git", "fsck", "--full", "--strict", cwd=repository)
    run("git", "checkout", "-q", "main", cwd=repository)
    log = run("git", "log", "-p", "--stat", cwd=repository)
    if log.count(b"\ncommit ") + 1 != 400:
        raise Failure("git log shows %d commits" % (log.count(b"\ncommit ") + 1))
    return digest(log + run("git", "blame", "f3", cwd=repository))


def fast_import_stream():
    """400 commits over seven files, as git fast-import reads them."""
    parts = []
    for i in range(1, 401):
        text = "".join("line %d of %d\n" % (k, i * k % 97) for k in range(i % 50 + 20))
        parts.append("commit refs/heads/main\ncommitter T <t@example.org> %d +0000\ndata 4\nc%03d\n" % (1700000000 + i, i))
        parts.append("M 100644 inline f%d\ndata %d\n%s\n" % (i % 7, len(text), text))
    return "".join(parts)


def c_source():
    """A C program of 120 functions, over a thousand lines."""
    parts = ["#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n"]
    for i in range(120):
        parts.append("static unsigned f%d(unsigned x) {\n  unsigned a[16], s = x;\n"
                     "  for (int i = 0; i < 16; i++) a[i] = x * %du + (unsigned)i;\n"
                     "  for (int i = 0; i < 16; i++) { if (a[i] & 1) s += a[(i * 7) %% 16]; else s ^= a[i] >> 3; }\n"
                     "  switch (s %% 5) { case 0: return s + %du; case 1: return s * 3; case 2: return s ^ 77; default: return s; }\n}\n"
                     % (i, i * 2654435761 % 4294967291, i))
    parts.append("int main(void) {\n  unsigned s = 1;\n")
    parts.extend("  s = f%d(s);\n" % i for i in range(120))
    parts.append('  printf("%u\\n", s);\n  return 0;\n}\n')
    return "".join(parts)


@program("gcc")
def gcc(run, folder):
    """Compiles, assembles, links and runs; the assembler text must be the same."""
    with open(os.path.join(folder, "p.c"), "w") as f:
        f.write(c_source())
    text = run("gcc", "-O2", "-S", "-o", "-", "p.c")
    run("gcc", "-O1", "-pipe", "-o", "p", "p.c")
    return digest(text) + " " + run("./p").decode().strip()


@program("g++")
def gxx(run, folder):
    """Templates: cc1plus with many small objects."""
    with open(os.path.join(folder, "p.cc"), "w") as f:
        f.write("#include <map>\n#include <string>\n#include <vector>\n#include <cstdio>\n"
                "int main() { std::map<std::string, std::vector<int>> m; m[\"x\"].push_back(1);\n"
                "std::printf(\"%zu\\n\", m.size()); }\n")
    text = run("g++", "-std=c++17", "-O1", "-S", "-o", "-", "p.cc")
    run("g++", "-std=c++17", "-o", "p", "p.cc")
    return digest(text) + " " + run("./p").decode().strip()


@program("sqlite3")
def sqlite(run, _folder):
    """Tables, indices, joins, a rollback, full text in memory and on disk."""
    sql = ("PRAGMA cache_size=-8000; CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v REAL);\n"
           "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<60000)"
           " INSERT INTO t SELECT x, printf('name-%d-%s', x*7919%10007, hex(x*x)), x*0.5 FROM c;\n"
           "CREATE INDEX n ON t(name); SELECT count(*), sum(v) FROM t WHERE name LIKE 'name-9%';\n"
           "BEGIN; DELETE FROM t WHERE id%3=0; ROLLBACK; DELETE FROM t WHERE id%5=0; VACUUM;\n"
           "SELECT a.name, count(*) FROM t a JOIN t b ON a.id=b.id+7 GROUP BY substr(a.name,1,7) ORDER BY 2 DESC, 1 LIMIT 20;\n"
           "SELECT group_concat(name) FROM (SELECT name FROM t ORDER BY name LIMIT 500); PRAGMA integrity_check;\n")
    both = run("sqlite3", ":memory:", stdin=sql.encode()) + run("sqlite3", "disk.db", stdin=sql.encode())
    if both.count(b"\nok") != 2:
        raise Failure("integrity_check: " + both[-300:].decode())
    return digest(both)


@program("perl")
def perl(run, _folder):
    """Hashes, strings, regular expressions, sorting, fork."""
    code = ("my %h; for my $i (1..60000) { $h{$i*7919 % 65537} .= 'x' x ($i % 50) . $i; }"
            "my $s = join ',', map { length $h{$_} } sort { $a <=> $b } keys %h; my $n = () = $s =~ /(\\d+),\\1/g;"
            "my @l = map { [ $_, scalar reverse $_ ] } 1..20000; @l = sort { $a->[1] cmp $b->[1] } @l;"
            "for (1..8) { my $pid = fork; if (!$pid) { my @x = map { 'y' x $_ } 1..500; exit 0 } waitpid $pid, 0; die if $? }"
            "my $big = ''; $big .= chr(65 + $_ % 26) for 1..2000000; $big =~ s/ABC/xyz/g;"
            "print \"$n $l[77][0] \", length($s), ' ', ($big =~ tr/x//), \"\\n\";")
    return run("perl", "-e", code).decode().strip()


@program("tar", "xz")
def tar_xz(run, folder):
    """tar | xz -T2, and back."""
    source = "/usr/include/linux" if os.path.isdir("/usr/include/linux") else "/usr/lib/python3/"
    pipeline = "tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - %s 2>/dev/null | xz -T2 -2 --block-size=1MiB -c > a.tar.xz" % source
    run("sh", "-c", pipeline)
    return digest(run("sh", "-c", "xz -T2 -dc a.tar.xz | tar -tvf -")) + digest(run("xz", "-T2", "-dc", "a.tar.xz"))


@program("node")
def node(run, _folder):
    """Workers that exchange buffers, JSON and a garbage-collected heap."""
    return run("node", os.path.join(HERE, "workers.js")).decode().strip()


@program("bash")
def shell(run, _folder):
    """Thousands of variables, subshells and pipes."""
    code = ("declare -A a; for i in {1..20000}; do a[$i]=v$((i*i)); done; s=0; for k in \"${!a[@]}\"; do ((s+=k)); done;"
            "for i in {1..60}; do x=$(echo $i | tr 0-9 a-j); done; echo $s $x ${#a[@]} ${a[777]}")
    return run("bash", "-c", code).decode().strip()


@program("jq")
def jq(run, _folder):
    """A JSON document of 20,000 objects."""
    document = "[" + ",".join('{"id":%d,"name":"n%d","tags":["a","b%d"]}' % (i, i * 7919 % 1009, i % 13) for i in range(20000)) + "]"
    return digest(run("jq", "-c", "group_by(.name) | map({n: .[0].name, c: length, t: (map(.tags[1]) | unique)})",
                      stdin=document.encode()))


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lib", required=True, help="path of libhakmem.so")
    parser.add_argument("name", choices=sorted(PROGRAMS))
    args = parser.parse_args()
    function, needs = PROGRAMS[args.name]
    for command in needs:
        if not shutil.which(command, path="/usr/local/bin:/usr/bin:/bin"):
            print("skipped: %s is not installed" % command)
            return SKIP
    results = []
    try:
        for library in (None, args.lib):
            with tempfile.TemporaryDirectory(prefix="hakmem-real-") as folder:
                if library is None and args.name.startswith("python_") and args.name != "python_work":
                    continue  # these judge themselves
                run = Runner(library, folder)
                results.append(function(run, folder))
                if library:
                    print("served %d processes" % run.prove())
        if len(set(results)) != 1:
            raise Failure("libc: %s\nhakmem: %s" % tuple(results))
    except Failure as failure:
        print("FAIL %s: %s" % (args.name, failure))
        return 1
    print(results[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
