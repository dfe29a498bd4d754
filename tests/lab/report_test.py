#!/usr/bin/env python3
"""`hakmem report`: the page in a real browser, the figures of the JSON in its charts, and the pictures."""
import html
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import unittest
import xml.etree.ElementTree

from record_common import HERE, PEERS, PROG, TOOL, RecordTest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def measure(name, text, change, finding):
    return {"name": name, "text": text, "pairs": 10, "a": 2.0, "b": 2.0 * (1 + change), "change": change, "low": change - 0.011,
            "high": change + 0.013, "p": 0.001, "spread": 0.004, "gain": -change, "finding": finding}


def ab_document():
    samples = [{"phase": "compare", "round": i, "arm": "AB"[i % 2], "at": i * 0.5, "wall": 0.1 + i * 0.001, "cpu": 0.1, "rss": 4e6 + i * 1e4,
                "faults": 100.0 + i, "switches": 1.0} for i in range(20)]
    return {
        "tool": "hakmem ab", "version": "1.0.0", "command": ["./prog", "<b>&\"x\"</b>"],
        "arms": [{"name": "A", "label": "libc", "settings": {}}, {"name": "B", "label": "hakmem", "settings": {}}],
        "machine": {"kernel": "6.1", "processor": "test <cpu>", "load": [0.5, 0.25, 0.125]},
        "measures": [measure("wall", "wall time", -0.1234, "better"), measure("rss", "peak resident memory", 0.0567, "worse")],
        "verdict": {"word": "GO", "measure": "wall", "reason": "B gains 12.3 %"}, "samples": samples, "failures": [],
    }


def bench_document():
    rows = [{"bench": b, "case": f"{n} B", "measure": m, "libc": 10.0,
             "ratios": [{"label": "hakmem", "ratio": 0.7 + n / 100, "low": 0.69 + n / 100, "high": 0.72 + n / 100, "same": False},
                        {"label": "jemalloc", "ratio": 0.9 + n / 100, "low": 0.8 + n / 100, "high": 1 + n / 100, "same": True}]}
            for b in ("lifo", "fifo") for n in (1, 2) for m in ("ns", "rss")]
    return {"tool": "hakmem bench", "machine": {"kernel": "6.1"}, "rows": rows, "allocators": [],
            "geomeans": [{"label": "hakmem", "measure": "ns", "ratio": 0.71}], "failures": []}


class Page(html.parser.HTMLParser):
    """What a page loads, how it nests, and the values on its marks."""

    VOID = {"meta", "link", "br", "img"}

    def __init__(self, text):
        super().__init__()
        self.loads, self.open, self.values, self.ids, self.refs, self.errors = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.loads += [a[k] for k in ("src", "href", "data", "action") if k in a and not a[k].startswith(("#", "data:"))]
        self.ids += [a["id"]] if "id" in a else []
        for k in ("aria-labelledby", "aria-describedby"):
            self.refs += a.get(k, "").split()
        if "data-value" in a:
            self.values.append(tuple(float(a[k]) for k in ("data-value", "data-low", "data-high") if k in a))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"</{tag}> at {self.getpos()}")


class ReportTest(RecordTest):
    def save(self, document, name):
        with open(self.path(name), "w", encoding="utf-8") as f:
            json.dump(document, f)
        return self.path(name)

    def report(self, *args):
        out = self.path("report.html")
        self.tool("report", *args, "-o", out)
        with open(out, encoding="utf-8") as f:
            return f.read()

    def all_documents(self):
        recording = self.record(PROG, "pair", 3000)
        replay = self.replay(recording, "--lib", "libc", "--rounds", 2)
        trace = self.trace(recording)
        return {"ab": ab_document(), "bench": bench_document(), "trace": trace, "replay": replay}


class Static(ReportTest):
    def test_page(self):
        documents = self.all_documents()
        text = self.report(*(self.save(d, f"{n}.json") for n, d in documents.items()))
        page = Page(text)
        self.assertEqual(page.loads, [])
        self.assertEqual(page.errors, [])
        self.assertEqual(page.open, [])
        self.assertNotRegex(text.replace("http://www.w3.org/2000/svg", ""), r"https?://|@import|url\(")
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertLessEqual(set(page.refs), set(page.ids))
        for m in documents["ab"]["measures"]:
            mark = [v for v in page.values if abs(v[0] - 1 - m["change"]) < 1e-12]
            self.assertEqual(len(mark), 2, "wide and narrow")
            self.assertAlmostEqual(mark[0][1], 1 + m["low"])
            self.assertAlmostEqual(mark[0][2], 1 + m["high"])
        got = [v[0] for v in page.values]
        for row in documents["bench"]["rows"]:
            for r in row["ratios"]:
                self.assertIn(r["ratio"], got)
        for row in documents["trace"]["sizes"]:
            self.assertIn(float(row["blocks"]), got)
        for row in documents["trace"]["schemes"]:
            self.assertTrue(any(abs(row["waste_at_peak"] - v) < 1e-12 for v in got))
        for word in ("GO", "B gains 12.3 %", "viewport", "prefers-color-scheme", "&lt;b&gt;&amp;&quot;x&quot;", "lang=\"en\"", "wall time"):
            self.assertIn(word, text)
        self.assertNotIn("<b>", text)

    def test_recording_is_taken_directly(self):
        self.assertIn("Memory of record_prog", self.report(self.record(PROG, "stack", 1000)))

    def test_list_of_summaries(self):
        every = json.loads(self.tool("trace", "--json", "--all", self.record("/bin/sh", "-c", f"{PROG} stack 9; exit 0")).stdout)
        self.assertIn("Memory of record_prog", self.report(self.save(every, "all.json")))


class Examples(ReportTest):
    """The examples of --help and of the manual page, literally, in a folder that holds what they name."""

    def test_examples(self):
        for name, text in (("script.py", "d = {str(i): [i] for i in range(20000)}\n"), ("file.c", "int main(void) { return 0; }\n")):
            with open(self.path(name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(HERE, "../../tools/hakmem/hakmem.1"), encoding="utf-8") as f:
            manual = f.read().split(".SH EXAMPLES")[1].split(".fi")[0].replace("\\-", "-")
        verbs = ("record", "trace", "replay", "report")
        # the manual page shows the other verbs too; --help of report begins with an ab of a minute
        lines = [line for line in manual.splitlines() if line.split(" ")[:1] == ["hakmem"] and line.split()[1] in verbs]
        self.assertEqual(len(lines), 4)
        for verb in verbs:
            found = re.findall(r"(?m)^  (hakmem .*)$", self.tool(verb, "--help").stdout)
            self.assertGreaterEqual(len(found), 2)
            lines += found
        env = {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")}
        os.symlink("/usr/bin/python3", self.path("python3"))
        env["PATH"] = f"{self.dir}:{os.path.dirname(os.path.abspath(TOOL))}:{env['PATH']}"
        self.save(ab_document(), "ab.json")
        for line in lines:
            if line.split()[1] == "ab" or ("gcc" in line and not shutil.which("gcc")) or ("mimalloc" in line and "mimalloc" not in PEERS) or (
                    "jemalloc" in line and "jemalloc" not in PEERS):
                continue
            done = subprocess.run(["bash", "-ec", line], cwd=self.dir, env=env, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr[-1000:]}")


class Pictures(ReportTest):
    def test_svg(self):
        files = [self.save(d, f"{n}.json") for n, d in self.all_documents().items()]
        self.tool("report", *files, "--svg", self.path("a.svg"))
        root = xml.etree.ElementTree.parse(self.path("a.svg")).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        values = [float(e.get("data-value")) for e in root.iter() if e.get("data-value")]
        self.assertTrue(any(abs(v - 0.8766) < 1e-9 for v in values))
        with open(self.path("a.svg"), encoding="utf-8") as f:
            self.assertNotIn("var(", f.read())
        whole = float(root.get("height"))
        self.tool("report", *files, "--svg", self.path("b.svg"), "--chart", "ratios")
        one = xml.etree.ElementTree.parse(self.path("b.svg")).getroot()
        self.assertLess(float(one.get("height")), whole / 4)

    @unittest.skipUnless(shutil.which("rsvg-convert"), "no rsvg-convert")
    def test_png(self):
        self.tool("report", self.save(ab_document(), "ab.json"), "--png", self.path("a.png"))
        with open(self.path("a.png"), "rb") as f:
            head = f.read(24)
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", head[16:])
        self.assertEqual(width, 1840)
        self.assertGreater(height, 800)

    def test_png_without_the_program(self):
        done = self.tool("report", self.save(ab_document(), "ab.json"), "--png", self.path("a.png"), status=1, env={**os.environ, "PATH": self.dir})
        self.assertIn("librsvg2-bin", done.stderr)


class BadInput(ReportTest):
    def test_messages(self):
        ab = self.save(ab_document(), "ab.json")
        broken = self.path("broken.json")
        with open(broken, "w", encoding="utf-8") as f:
            f.write('{"tool": "hakmem ab",')
        for status, text, args in (
            (2, "give results", ["-o", self.path("x.html")]),
            (2, "say where to", [ab]),
            (1, "No such file", [self.path("none.json"), "-o", self.path("x.html")]),
            (None, "broken.json", [broken, "-o", self.path("x.html")]),
            (2, "not a result", [self.save({"a": 1}, "other.json"), "-o", self.path("x.html")]),
            (2, "no such chart", [ab, "--svg", self.path("x.svg"), "--chart", "nonsuch"]),
            (2, "did you mean ratios?", [ab, "--svg", self.path("x.svg"), "--chart", "ratio"]),
            (1, "empty", [self.empty(), "-o", self.path("x.html")]),
            (1, "Is a directory", [self.dir, "-o", self.path("x.html")]),
            (1, "No space left", [ab, "-o", "/dev/full"]),
            (1, "No such file", [ab, "-o", self.path("no/x.html")]),
        ):
            done = self.tool("report", *args, status=status)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)

    def empty(self):
        with open(self.path("empty"), "wb"):
            pass
        return self.path("empty")

    def test_cut_recording(self):
        recording = self.record(PROG, "stack", 60000)
        with open(recording, "r+b") as f:
            f.truncate(os.path.getsize(recording) * 2 // 3)
        done = self.tool("report", recording, "-o", self.path("x.html"))
        self.assertIn("was cut", done.stderr)
        with open(self.path("x.html"), encoding="utf-8") as f:
            self.assertIn("The recording was cut", f.read())

    def test_missing_parts(self):
        """A result with holes makes a page with holes."""
        for hole in ("measures", "verdict", "samples", "machine", "arms", "command"):
            d = ab_document()
            del d[hole]
            self.assertIn("hakmem report", self.report(self.save(d, "hole.json")))


@unittest.skipUnless(BROWSER, "no chromium")
class Browser(ReportTest):
    def browse(self, *args):
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={self.path('profile')}",
                   "--enable-logging=stderr", "--v=0", *args]
        for attempt in (1, 2):
            try:
                return subprocess.run(command, capture_output=True, text=True, timeout=90)
            except subprocess.TimeoutExpired:
                if attempt == 2:
                    raise
                shutil.rmtree(self.path("profile"), True)

    def probe(self, text, script):
        """Runs script in the page; what it puts into document.title's place comes back as JSON."""
        page = text.replace("</body>", f"<script>document.body.dataset.probe=JSON.stringify((function(){{{script}}})())</script></body>")
        with open(self.path("probe.html"), "w", encoding="utf-8") as f:
            f.write(page)

        def run(*size):
            done = self.browse(*size, "--dump-dom", f"file://{self.path('probe.html')}")
            self.assertEqual(re.findall(r".*CONSOLE.*", done.stderr), [])
            found = re.search(r'data-probe="([^"]*)"', done.stdout)
            self.assertTrue(found, done.stderr[-1000:])
            return json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&"))

        return run

    def test_page(self):
        documents = self.all_documents()
        text = self.report(*(self.save(d, f"{n}.json") for n, d in documents.items()))
        run = self.probe(text, """
            var shown = Array.from(document.querySelectorAll('svg')).filter(function(s){return s.getBoundingClientRect().width>0});
            var row = shown[0].querySelector('g.row'); row.focus();
            var first = document.activeElement === row;
            row.dispatchEvent(new KeyboardEvent('keydown',{key:'ArrowDown',bubbles:true}));
            var marks = Array.from(shown[0].querySelectorAll('g.m')).map(function(g){
                var b = g.querySelector('circle,rect:not(.band),path').getBoundingClientRect(), s = shown[0].getBoundingClientRect();
                return [parseFloat(g.dataset.value), b.left >= s.left && b.right <= s.right && b.width > 0]; });
            return {wide: document.documentElement.scrollWidth, window: window.innerWidth, charts: shown.length, svgs: document.querySelectorAll('svg').length,
                    first: first, moved: document.activeElement !== row && document.activeElement.classList.contains('row'), marks: marks,
                    text: parseFloat(getComputedStyle(shown[0].querySelector('text.l')).fontSize) * shown[0].getBoundingClientRect().width / shown[0].viewBox.baseVal.width,
                    loads: performance.getEntriesByType('resource').length, tables: document.querySelectorAll('table').length};""")
        for size in ("--window-size=1200,900", "--window-size=500,900"):
            got = run(size)
            self.assertEqual(got["charts"] * 2, got["svgs"], size)
            self.assertGreaterEqual(got["charts"], 12)
            self.assertGreaterEqual(got["tables"], got["charts"])
            self.assertLessEqual(got["wide"], got["window"], f"{size}: the page scrolls sideways")
            self.assertEqual(got["loads"], 0)
            self.assertTrue(got["first"] and got["moved"], "keyboard")
            self.assertGreaterEqual(got["text"], 10.5)
            self.assertEqual([round(v, 9) for v, _ in got["marks"]], [0.8766, 1.0567])
            self.assertTrue(all(inside for _, inside in got["marks"]))

    LOOK = """
        var shown = Array.from(d.querySelectorAll('svg')).filter(function(s){return s.getBoundingClientRect().width>0});
        function boxes(s, what){ return Array.from(s.querySelectorAll(what)).map(function(t){
            return {b: t.getBoundingClientRect(), t: t.textContent}; }); }
        function meet(a, b){ return a.b.left < b.b.right-1 && b.b.left < a.b.right-1 && a.b.top < b.b.bottom-3 && b.b.top < a.b.bottom-3; }
        function light(c){ var v = c.match(/[0-9.]+/g).slice(0,3).map(function(x){ x/=255;
            return x<=0.03928 ? x/12.92 : Math.pow((x+0.055)/1.055,2.4); }); return 0.2126*v[0]+0.7152*v[1]+0.0722*v[2]; }
        function ratio(a, b){ a=light(a); b=light(b); return (Math.max(a,b)+0.05)/(Math.min(a,b)+0.05); }
        function ground(e){ for(; e; e=e.parentElement){ var c=getComputedStyle(e).backgroundColor; if(!/, 0\\)/.test(c)) return c; } }
        var touch = [], out = [], least = 99;
        shown.forEach(function(s){ var t = boxes(s, 'text'), r = s.getBoundingClientRect();
            t.forEach(function(a, i){ if (a.b.left < r.left-8 || a.b.right > r.right+8) out.push(a.t);
                for (var k=i+1; k<t.length; k++) if (meet(a, t[k])) touch.push(a.t+' / '+t[k].t); });
            boxes(s, ':scope > circle, :scope > path:not([data-points]), :scope > rect').forEach(function(m){
                t.forEach(function(a){ if (meet(a, m)) touch.push(a.t+' / mark'); }); }); });
        d.querySelectorAll('h1,h2,h3,p,strong,code,summary,th,td,a,svg text').forEach(function(e){
            if (!e.getBoundingClientRect().width || e.className === 'skip') return; var st = getComputedStyle(e);
            least = Math.min(least, ratio(e.namespaceURI.indexOf('svg')>0 ? st.fill : st.color, ground(e))); });
        return {touch: touch, out: out, contrast: least, cut: Array.from(d.querySelectorAll('svg .l')).filter(function(t){
                    return t.textContent.indexOf('\u2026')>0 && t.getBoundingClientRect().width; }).map(function(t){return t.textContent}),
                wide: d.documentElement.scrollWidth, window: w.innerWidth, charts: shown.length,
                size: Math.min.apply(0, shown.map(function(s){ return 11*s.getBoundingClientRect().width/s.viewBox.baseVal.width; })),
                silent: Array.from(d.querySelectorAll('figure')).filter(function(f){
                    return f.querySelector('figcaption p').textContent.length < 20 || !f.querySelector('table caption'); }).length,
                heads: Array.from(d.querySelectorAll('h1,h2,h3')).map(function(h){return +h.tagName[1]}),
                marks: ['header','nav','main'].map(function(m){return d.querySelectorAll(m).length}), lang: d.documentElement.lang};"""

    def look(self, text, width, *browser):
        """What a reader sees in a window of that width (which may be less than the browser's least: the page is put into a frame)."""
        inner = text.replace("&", "&amp;").replace('"', "&quot;")
        page = (f'<!doctype html><body style="margin:0"><iframe srcdoc="{inner}" style="border:0;width:{width}px;height:800px"></iframe><script>'
                "addEventListener('load',function(){var w=frames[0],d=w.document,getComputedStyle=w.getComputedStyle.bind(w);"
                f"document.body.dataset.probe=JSON.stringify((function(){{{self.LOOK}}})())}})</script></body>")
        with open(self.path("look.html"), "w", encoding="utf-8") as f:
            f.write(page)
        done = self.browse(*browser, "--window-size=1400,900", "--virtual-time-budget=2000", "--dump-dom", f"file://{self.path('look.html')}")
        found = re.findall(r'data-probe="([^"]*)"', done.stdout)
        self.assertTrue(found, done.stderr[-1000:])
        return json.loads(html.unescape(found[-1]))

    def test_looks(self):
        """Nothing overlaps, is cut off or too faint, on a phone, a tablet and a desk; headings, landmarks and a text for every chart."""
        text = self.report(*(self.save(d, f"{n}.json") for n, d in self.all_documents().items()))
        for width, browser in ((390, ()), (390, ("--blink-settings=preferredColorScheme=0",)), (700, ()), (820, ()), (1280, ())):
            got = self.look(text, width, *browser)
            said = f"{width} {browser}"
            self.assertEqual(got["window"], width)
            self.assertLessEqual(got["wide"], width, f"{said}: the page scrolls sideways")
            self.assertGreaterEqual(got["charts"], 12, said)
            self.assertEqual((got["touch"], got["out"], got["cut"]), ([], [], []), said)
            self.assertGreaterEqual(got["contrast"], 4.5, said)
            self.assertGreaterEqual(got["size"], 9.5, said)
            self.assertEqual((got["silent"], got["marks"], got["lang"]), (0, [1, 1, 1], "en"))
            self.assertTrue(all(b <= a + 1 for a, b in zip(got["heads"], got["heads"][1:])) and got["heads"][0] == 1)

    def test_light_and_dark(self):
        text = self.report(self.save(ab_document(), "ab.json"))
        colours = "var t=document.querySelector('svg text.l');return [getComputedStyle(document.body).backgroundColor,getComputedStyle(t).fill];"
        run = self.probe(text, colours)
        light, dark = run(), run("--blink-settings=preferredColorScheme=0")
        if light == dark:
            dark = run("--force-dark-mode")
        self.assertNotEqual(light, dark)
        for back, front in (light, dark):
            a, b = (sum(map(float, re.findall(r"[\d.]+", c)[:3])) for c in (back, front))
            self.assertGreater(abs(a - b), 380, "text against its ground")

    def test_screenshot(self):
        self.report(self.save(ab_document(), "ab.json"))
        self.browse("--window-size=900,700", f"--screenshot={self.path('shot.png')}", f"file://{self.path('report.html')}")
        self.assertGreater(os.path.getsize(self.path("shot.png")), 10000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
