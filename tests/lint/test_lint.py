#!/usr/bin/env python3
"""The checks checked: each gets a clean tree, on which it must be silent, and then one with a planted violation, which it must name."""
import datetime
import importlib.util
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import check_format  # noqa: E402
import check_gates  # noqa: E402
import check_layers  # noqa: E402
import check_source  # noqa: E402
import check_tidy  # noqa: E402
import common  # noqa: E402

HEADER = "#ifndef HAK_{0}_H\n#define HAK_{0}_H\n{1}\n#endif\n"
ROW = 'HAK_GATE({name}, {type}, "{choices}", {default}, 0, {max}, COLD, {state}, "box", "{record}", "what, \\"quoted\\" (and more)")\n'


class Tree(unittest.TestCase):
    """A small tree that all checks accept."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name).resolve()
        self.put("include/hakmem/hakmem.h", HEADER.format("MEM", "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint hak_x(void);\n#ifdef __cplusplus\n}\n#endif"))
        self.put("src/base/bits.h", HEADER.format("BASE_BITS", "enum { BITS = 8 };"))
        self.put("src/gates/build.h", HEADER.format("GATES_BUILD", "enum { BUILD = 1 };"))
        self.put("src/gates/gates.h", HEADER.format("GATES_GATES", "extern int hak_gates;"))
        self.put("src/layout/slab.h", HEADER.format("LAYOUT_SLAB", '#include "base/bits.h"\n#include "gates/build.h"'))
        self.put("src/hot/cold_entry.h", HEADER.format("HOT_COLD_ENTRY", '#include "layout/slab.h"'))
        self.put("src/hot/free_hot.h", HEADER.format("HOT_FREE", '#include "hot/cold_entry.h"'))
        self.put("src/os/os.h", HEADER.format("OS_OS", '#include "base/bits.h"'))
        self.put("src/cold/slab.h", HEADER.format("COLD_SLAB", '#include "layout/slab.h"'))
        self.put("src/cold/slab.c", '/* A comment with #include "diag/why.h" in it; and prose. */\n#include "cold/slab.h"\n#include "os/os.h"\n#include <stddef.h>\n')
        self.table(ROW.format(name="worker", type="BOOL", choices="", default=0, max=1, state="SETTLED", record=""))
        self.put("src/cold/read.c", '#include "gates/gates.h"\nint use(void);\nint use(void) { return hak_gates.worker; }\n')

    def tearDown(self):
        self.folder.cleanup()

    def put(self, name, text):
        """Writes a file of the tree."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def table(self, rows):
        """Writes the gate table and the page made of it."""
        self.put("src/gates/gates.def", "/* HAK_GATE(not, a, row) */\n" + rows)
        generator = check_gates.load_generator()
        self.put("docs/OPTIONS.md", generator.page(*generator.parse(rows)))

    def names(self, problems, *texts):
        """Exactly one problem, and it contains the texts."""
        self.assertEqual(len(problems), 1, problems)
        for text in texts:
            self.assertIn(text, problems[0])


class Layers(Tree):
    """check_layers.py"""

    def test_clean(self):
        self.assertEqual(check_layers.check(self.root), [])

    def test_every_forbidden_edge(self):
        """Each pair of layers that the table leaves out is refused, each that it has is accepted."""
        headers = {"base": "base/bits.h", "gates": "gates/gates.h", "layout": "layout/slab.h", "os": "os/os.h", "hot": "hot/free_hot.h",
                   "cold": "cold/slab.h", "diag": "diag/why.h", "api": "api/malloc.h"}
        self.put("src/diag/why.h", HEADER.format("WHY", ""))
        self.put("src/api/malloc.h", HEADER.format("MALLOC", ""))
        for layer in check_layers.MAY:
            for other, header in headers.items():
                self.put("src/%s/probe.c" % layer, '#include "%s"\n' % header)
                found = check_layers.check_file(self.root, self.root / "src" / layer / "probe.c")
                allowed = other == layer or other in check_layers.MAY[layer]
                self.assertEqual(found == [], allowed, "%s -> %s: %s" % (layer, other, found))

    def test_only_the_door(self):
        self.put("src/cold/x.c", '#include "hot/cold_entry.h"\n#include "hot/free_hot.h"\n')
        self.names(check_layers.check(self.root), "src/cold/x.c:2:", "hot/free_hot.h")

    def test_gates_in_hot(self):
        self.put("src/hot/bad_hot.h", HEADER.format("BAD", '#include "gates/gates.h"'))
        self.names(check_layers.check(self.root), "src/hot/bad_hot.h:3:", "gates/gates.h")

    def test_gate_read_in_hot(self):
        self.put("src/hot/bad_hot.h", HEADER.format("BAD", "static inline int f(void) { extern int hak_gates; return hak_gates; }"))
        self.names(check_layers.check(self.root), "src/hot/bad_hot.h:3:", "run-time gate")

    def test_angle_brackets_are_no_way_out(self):
        self.put("src/base/x.c", "#include <layout/slab.h>\n#include <hakmem/hakmem.h>\n")
        self.assertEqual(len(check_layers.check(self.root)), 2)

    def test_source_included(self):
        self.put("src/cold/x.c", '#include "cold/slab.c"\n')
        self.names(check_layers.check(self.root), "includes a source file")

    def test_layer_not_said(self):
        self.put("src/cold/x.c", '#include "slab.h"\n')
        self.names(check_layers.check(self.root), "say the layer")

    def test_unknown_layer(self):
        self.put("src/util/x.c", "\n")
        self.names(check_layers.check(self.root), "not in a layer")

    def test_header_alone(self):
        self.put("src/cold/bad.h", HEADER.format("BAD", "size_t f(void);"))
        self.names(check_layers.check(self.root), "src/cold/bad.h:", "does not compile alone")

    def test_public_header_as_cxx(self):
        self.put("include/hakmem/bad.h", HEADER.format("BAD", "int f(int class);"))
        self.names(check_layers.check(self.root), "does not compile alone (c++)")


class Source(Tree):
    """check_source.py"""

    def planted(self, name, text, *expected):
        """The file is refused with the expected texts."""
        self.put(name, text)
        self.names(check_source.check(self.root), name, *expected)

    def test_clean(self):
        self.put("src/base/x.h", "#if defined(__x86_64__)\n#else\n#endif\n")
        self.put("src/os/x.c", "#ifdef __GLIBC__\n#endif\n")
        self.put("src/gates/build.h", "#if 1\n#endif\n")
        self.put("src/base/atomic.h", "#define hak_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)\n")
        self.put("src/cold/prose.c", "/* free(p) is a call; malloc and free (both) are, too. if (x), then y. */\n")
        self.assertEqual(check_source.check(self.root), [])

    def test_if(self):
        self.planted("src/cold/x.c", "int a;\n#ifdef HAK_DEV\n#else\n#endif\n", ":2:", "#ifdef outside")

    def test_ifndef_that_is_no_guard(self):
        self.planted("src/layout/x.h", "#ifndef NDEBUG\nint a;\n#endif\n", ":1:", "#ifndef outside")

    def test_if_in_gates(self):
        self.planted("src/gates/gates.c", "#if 1\n#endif\n", "#if outside")

    def test_cplusplus_in_src(self):
        self.planted("src/api/x.h", "#ifdef __cplusplus\n#endif\n", "#ifdef outside")

    def test_atomics(self):
        for text in ("__atomic_load_n(p, 0)", "__sync_synchronize()", "_Atomic int a", "atomic_load(p)"):
            self.planted("src/base/x.c", "int f(int *p) { return %s; }\n" % text, ":1:", "base/atomic.h")

    def test_size(self):
        self.planted("src/cold/x.c", "int a;\n" * 451, "451 lines, at most 450")

    def test_header_size(self):
        self.planted("src/cold/x.h", "int a;\n" * 251, "251 lines, at most 250")

    def test_later(self):
        self.planted("scripts/x.sh", "# TO" + "DO: all of it\n", ":1:")

    def test_dead_code(self):
        for text in ("// x = y + 1;", "/* int n = f(x); */", "/* if (a) { */", "/* span_free(s); */", "/* words\n * return NULL;\n */"):
            self.planted("tests/unit/x.c", text + "\n", "commented-out code")

    def test_machine(self):
        self.planted("docs/x.md", "see /ho" + "me/someone/notes\n", "a path of somebody's machine")


class Gates(Tree):
    """check_gates.py"""

    def trial(self, expires, default=0):
        """A tree whose gate is on trial until a day."""
        self.put("docs/decisions/007-worker.md", "# Worker\nexpires: %s\n" % expires)
        self.table(ROW.format(name="worker", type="BOOL", choices="", default=default, max=1, state="TRIAL", record="007"))
        return check_gates.check(self.root, datetime.date(2030, 6, 1))

    def row(self, **changes):
        """A tree whose gate differs from the clean one's."""
        fields = dict(name="worker", type="BOOL", choices="", default=0, max=1, state="SETTLED", record="")
        self.table(ROW.format(**{**fields, **changes}))
        return check_gates.check(self.root)

    def test_clean(self):
        self.assertEqual(check_gates.check(self.root), [])
        self.assertEqual(self.trial("2030-06-01"), [])

    def test_expired(self):
        self.names(self.trial("2030-05-31"), "gates.def:2:", "expired on 2030-05-31")

    def test_trial_without_end(self):
        self.names(self.trial("some day"), "has no line")

    def test_trial_on_by_default(self):
        self.names(self.trial("2030-06-02", default=1), "off by default")

    def test_trial_without_record(self):
        self.names(self.row(state="TRIAL"), "must name its decision record")

    def test_record_missing(self):
        self.names(self.row(record="042"), "docs/decisions/042*.md does not exist")

    def test_on_without_record(self):
        self.names(self.row(state="ON"), "no decision record")

    def test_never_read(self):
        self.put("src/cold/read.c", "/* hak_gates.worker */\n")
        self.put("src/gates/gates.c", "int f(void) { return hak_gates.worker; }\n")
        self.names(check_gates.check(self.root), "worker: nothing outside")

    def test_unknown_words(self):
        self.names(self.row(type="FLAG"), "type is FLAG")

    def test_choices_and_range(self):
        self.names(self.row(type="ENUM", choices="a|b|c"), "there are 3 choices")
        self.names(self.row(default=5), "not in 0..1")

    def test_page_out_of_date(self):
        self.put("docs/OPTIONS.md", "# Options\n")
        self.names(check_gates.check(self.root), "docs/OPTIONS.md")

    def test_parser(self):
        gates, old = check_gates.load_generator().parse('HAK_GATE(a, UINT, "", 1, 0, 2, LIVE, ON, "b", "001", "x, (y)\\"z\\"")\nHAK_GATE_OLD(c, "d")\n')
        self.assertEqual((gates[0].name, gates[0].text, gates[0].record, gates[0].line), ("a", 'x, (y)"z"', "001", 1))
        self.assertEqual((old[0].name, old[0].text), ("c", "d"))


class Format(Tree):
    """check_format.py"""

    def setUp(self):
        super().setUp()
        for path in common.files(self.root, common.C_DIRS, (".c", ".h", ".def")):
            path.unlink()
        self.put(".clang-format", (HERE.parents[1] / ".clang-format").read_text())

    def planted(self, name, text, *expected):
        """The file is refused with the expected texts."""
        self.put(name, text)
        self.names(check_format.check(self.root), name, *expected)

    def test_clean(self):
        self.put("src/a.c", "int f(void) { return 1; }\n")
        self.put("scripts/a.sh", "set -euo pipefail\n")
        self.put("scripts/a.py", "print(1)\n")
        self.assertEqual(check_format.check(self.root), [])

    def test_clang_format(self):
        self.planted("src/a.c", "int f( void )\n{ return 1;}\n", ":1:", "clang-format")

    def test_blanks(self):
        self.planted("docs/a.md", "a \n", ":1:", "blanks")

    def test_last_newline(self):
        self.planted("docs/a.md", "a", "no newline")

    def test_carriage_return(self):
        (self.root / "docs" / "a.md").write_bytes(b"a\r\n")
        self.assertIn("carriage returns", " ".join(check_format.check(self.root)))

    def test_utf8(self):
        (self.root / "docs" / "a.md").write_bytes(b"\xff\n")
        self.names(check_format.check(self.root), "not UTF-8")

    def test_shell_syntax(self):
        self.planted("scripts/a.sh", "set -euo pipefail\nif true; then\n", "syntax error")

    def test_shell_safety(self):
        self.planted("scripts/a.sh", "echo\n", "no `set -euo pipefail`")

    def test_python_syntax(self):
        self.planted("scripts/a.py", "def f(:\n", ":1:")

    def test_python_too_new(self):
        self.planted("scripts/a.py", "match x:\n    case 1:\n        pass\n", "Python 3.10")


class Tidy(Tree):
    """check_tidy.py"""

    def problems(self, text):
        """What clang-tidy says of a source with our settings."""
        self.put(".clang-tidy", (HERE.parents[1] / ".clang-tidy").read_text())
        self.put("src/a.c", text)
        path = str(self.root / "src/a.c")
        self.put("build/compile_commands.json", '[{"directory": "%s", "command": "gcc -Wall -c %s", "file": "%s"}]' % (self.root, path, path))
        return check_tidy.check(self.root, str(self.root / "build"))

    def test_clean(self):
        self.assertEqual(self.problems("int f(int a);\nint f(int a) { return a; }\n"), [])

    def test_bugprone(self):
        self.names(self.problems("#include <string.h>\nint f(char *a);\nint f(char *a) { return memcmp(a, \"x\", 1) || a[0]; }\n"), "src/a.c:3:", "bugprone-suspicious")

    def test_analyzer(self):
        self.names(self.problems("int f(int a);\nint f(int a) {\n    int *p = 0;\n    if (a) {\n        *p = 1;\n    }\n    return 0;\n}\n"), "src/a.c:5:", "null pointer")

    def test_clang_warning(self):
        self.names(self.problems("int f(int a);\nint f(int a) {\n    int unused;\n    return a;\n}\n"), "unused variable")

    def test_does_not_compile(self):
        self.assertIn("src/a.c:1:7: error: expected", self.problems("int f(\n")[0])


class Summary(Tree):
    """scripts/summary.py"""

    def read(self, *cases):
        """The three lists for one JUnit file."""
        spec = importlib.util.spec_from_file_location("summary", HERE.parents[1] / "scripts" / "summary.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        folder = self.root / "results"
        folder.mkdir(exist_ok=True)
        (folder / "release.xml").write_text("<testsuite>%s</testsuite>" % "".join(cases))
        return [len(names) for names in module.read(folder)]

    def test_kinds(self):
        passed = '<testcase name="a" status="run"/>'
        failed = '<testcase name="b" status="fail"><failure message=""/></testcase>'
        skipped = '<testcase name="c" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>'
        missing = '<testcase name="d" status="notrun"><skipped message="Unable to find executable"/></testcase>'
        self.assertEqual(self.read(passed, failed, skipped, missing), [1, 2, 1])

    def test_build_failure(self):
        self.put("results/dev.failed", "dev/build: the build failed\n")
        self.assertEqual(self.read(), [0, 1, 0])


if __name__ == "__main__":
    unittest.main()
