#!/usr/bin/env python3
"""What is installed and packaged: package_test.py --build DIR --work DIR WHAT...
WHAT: install consumers subdirectory symbols static deb. Each installs into a folder of its own under --work."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def run(*command, env=None, cwd=None, ok=True):
    """Runs a command; returns its output, or ends the test with it."""
    done = subprocess.run([str(word) for word in command], env={**os.environ, **(env or {})}, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if ok and done.returncode:
        sys.exit("FAILED (%d): %s\n%s" % (done.returncode, " ".join(map(str, command)), done.stdout[-4000:]))
    return done.stdout


def expect(condition, text):
    """Ends the test when the condition does not hold."""
    if not condition:
        sys.exit("FAILED: " + text)


class Installed:
    """The build, installed to a prefix."""

    def __init__(self, build, work):
        self.prefix = work / "prefix"
        run("cmake", "--install", build, "--prefix", self.prefix)
        found = list(self.prefix.glob("lib*/**/libhakmem.so.*.*.*"))
        expect(len(found) == 1, "one libhakmem.so.X.Y.Z under %s: %s" % (self.prefix, found))
        self.library, self.libdir = found[0], found[0].parent


def test_install(build, work):
    """Every file is there, links and soname are right, nothing of the build's paths is left in them."""
    at = Installed(build, work)
    version = at.library.name.replace("libhakmem.so.", "")
    major = version.split(".")[0]
    expect(os.readlink(at.libdir / ("libhakmem.so." + major)) == at.library.name, "libhakmem.so.%s links to %s" % (major, at.library.name))
    expect(os.readlink(at.libdir / "libhakmem.so") == "libhakmem.so." + major, "libhakmem.so links to libhakmem.so." + major)
    dynamic = run("readelf", "-d", at.library)
    expect("soname: [libhakmem.so.%s]" % major in dynamic, "the soname is libhakmem.so." + major)
    expect("RPATH" not in dynamic and "RUNPATH" not in dynamic, "no rpath")
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    expect(set(needed) <= {"libc.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, "needs only libc: %s" % needed)
    for name in ("libhakmem.a", "pkgconfig/hakmem.pc", "cmake/hakmem/hakmem-config.cmake", "cmake/hakmem/hakmem-config-version.cmake"):
        expect((at.libdir / name).exists(), name)
    expect((at.prefix / "include/hakmem/hakmem.h").exists(), "hakmem.h")
    if (build / "bench_startup").exists():
        table = run(at.prefix / "bin/hakmem", "bench", "--quick", "startup")
        expect("startup" in table, "the installed tool finds the installed benches: " + table)
    for path in at.prefix.rglob("*"):
        if path.suffix in (".pc", ".cmake"):
            expect(str(ROOT) not in path.read_text(), "%s names the source tree" % path)


def test_consumers(build, work):
    """A program finds the library by CMake and by pkg-config, shared and static, and is served by it."""
    at = Installed(build, work)
    project = work / "project"
    project.mkdir()
    shutil.copy(HERE / "consumer.c", project)
    shutil.copy(HERE / "consumer.cmake", project / "CMakeLists.txt")
    run("cmake", "-B", project / "build", "-S", project, "-DCMAKE_PREFIX_PATH=%s" % at.prefix)
    run("cmake", "--build", project / "build")
    for name in ("shared", "static"):
        print(name, "by CMake:", run(project / "build" / name).strip())
    expect("libhakmem" in run("readelf", "-d", project / "build/shared"), "shared needs libhakmem.so")
    expect("libhakmem" not in run("readelf", "-d", project / "build/static"), "static does not need libhakmem.so")
    if not shutil.which("pkg-config"):
        print("skipped: pkg-config is not installed")
        return
    env = {"PKG_CONFIG_PATH": str(at.libdir / "pkgconfig")}
    for name, flags, extra in (("pc_shared", ["--cflags", "--libs"], []), ("pc_static", ["--static", "--cflags", "--libs"], ["-static"])):
        words = run("pkg-config", *flags, "hakmem", env=env).split()
        run("cc", "-o", project / name, project / "consumer.c", *words, *extra)
        print(name, "by pkg-config:", run(project / name, env={"LD_LIBRARY_PATH": str(at.libdir)}).strip())


def test_subdirectory(build, work):
    """A project may also take the source tree itself as a subdirectory; nothing but the libraries is built then."""
    project = work / "project"
    project.mkdir()
    shutil.copy(HERE / "consumer.c", project)
    (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(consumer C)\nadd_subdirectory(%s hakmem)\n"
                                            "add_executable(shared consumer.c)\ntarget_link_libraries(shared hakmem::hakmem)\n" % ROOT)
    run("cmake", "-B", project / "build", "-S", project)
    run("cmake", "--build", project / "build", "-j2")
    print("by add_subdirectory:", run(project / "build" / "shared").strip())
    expect(not list((project / "build").rglob("bench_*")), "no benches in another project's build")


def test_symbols(build, work):
    """The shared library exports exactly what the version script names."""
    at = Installed(build, work)
    script = re.sub(r"/\*.*?\*/", "", (ROOT / "src/api/hakmem.map").read_text(), flags=re.DOTALL)
    script = script.split("global:")[1].split("local:")[0]
    wanted = set(re.findall(r"[\w*]+(?=;)", script))
    exported = {row.split()[-1].split("@")[0] for row in run("nm", "-D", "--defined-only", at.library).splitlines()}
    exported = {name for name in exported if not name.startswith("HAKMEM_")}
    expect(not exported - wanted, "exported, not in hakmem.map: %s" % sorted(exported - wanted))
    expect(not wanted - exported, "in hakmem.map, not exported: %s" % sorted(wanted - exported))
    print("%d symbols exported" % len(exported))


def test_static(build, work):
    """A static link with every function of the family takes nothing of libc's malloc.o, and libhakmem.a defines what that defines."""
    at = Installed(build, work)
    library = at.libdir / "libhakmem.a"
    run("cc", "-static", "-o", work / "family", HERE / "family.c", library, "-pthread", "-Wl,-Map,%s" % (work / "map"))
    members = set(re.findall(r"libc\.a\(([\w.-]+\.o)\)", (work / "map").read_text()))
    expect("libc-start.o" in members, "the map lists libc's members: %s" % sorted(members))
    expect("malloc.o" not in members, "libc's malloc.o was linked in")
    run(work / "family")
    libc = run("cc", "-print-file-name=libc.a").strip()
    run("ar", "x", libc, "malloc.o", cwd=work)

    def names(path):
        return {row.split()[2] for row in run("nm", path).splitlines() if re.match(r"[0-9a-f]+ [TWVDBR] ", row)}
    missing = names(work / "malloc.o") - names(library)
    # Twins that no other member of libc refers to cannot pull malloc.o in.
    used = set(re.findall(r" U (\w+)", run("nm", libc)))
    expect(not missing & used, "libc uses, libhakmem.a lacks: %s" % sorted(missing & used))
    print("not defined, and used by nothing in libc: %s" % sorted(missing - used))


def test_deb(build, work):
    """The Debian package: contents, owner, dependencies; and the packaged library, unpacked, serves a program."""
    run("cpack", "--config", build / "CPackConfig.cmake", "-G", "DEB", "-B", work)
    debs = list(work.glob("*.deb"))
    expect(len(debs) == 1, "one package: %s" % debs)
    fields = run("dpkg-deb", "-f", debs[0])
    for pattern in (r"^Package: hakmem$", r"^Version: \d+\.\d+\.\d+", r"^Depends:.*libc6", r"^Architecture: \w+$", r"^Section: libs$"):
        expect(re.search(pattern, fields, re.MULTILINE), "%s in the control file:\n%s" % (pattern, fields))
    listing = run("dpkg-deb", "-c", debs[0])
    for pattern in (r"/libhakmem\.so\.\d+\.\d+\.\d+$", r"/libhakmem\.so\.\d+ -> ", r"/libhakmem\.so -> ", r"/libhakmem\.a$", r"/include/hakmem/hakmem\.h$",
                    r"/pkgconfig/hakmem\.pc$", r"/cmake/hakmem/hakmem-config\.cmake$", r"/doc/hakmem/copyright$"):
        expect(re.search(pattern, listing, re.MULTILINE), "%s in the package:\n%s" % (pattern, listing))
    odd = [row for row in listing.splitlines() if " ./usr/" not in row and not row.endswith(" ./") or "root/root" not in row or row[0] != "l" and row[8] == "w"]
    expect(not odd, "all under /usr, owned by root, not writable by others: %s" % odd)
    run("dpkg-deb", "-x", debs[0], work / "root")
    library = next((work / "root").rglob("libhakmem.so.1"))
    expect("not stripped" not in run("file", "-L", library), "stripped")
    maps = run("cat", "/proc/self/maps", env={"LD_PRELOAD": str(library)})
    expect(str(library.resolve()) in maps, "the packaged library serves a program")
    print(fields)


def main():
    """Runs the named tests, each in an empty folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("what", nargs="+")
    args = parser.parse_args()
    for what in args.what:
        work = args.work.resolve() / what
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        globals()["test_" + what](args.build.resolve(), work)
        shutil.rmtree(work)
        print("%s: good" % what)


if __name__ == "__main__":
    main()
