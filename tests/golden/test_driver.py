#!/usr/bin/env python3
"""The driver of the benches tells a difference from none: its table on made-up samples, and its answers to bad arguments."""
import argparse
import contextlib
import importlib.util
import io
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location("run_benches", os.path.join(HERE, "..", "..", "bench", "run_benches.py"))
driver = importlib.util.module_from_spec(SPEC)
sys.dont_write_bytecode = True
SPEC.loader.exec_module(driver)


def results(figures):
    """Results of one metric, from {case: {allocator: [values of the rounds]}}."""
    names = list(next(iter(figures.values())))
    made = driver.Results([driver.Library(name, None) for name in names])
    for case, by_name in figures.items():
        for name, values in by_name.items():
            for value in values:
                made.add(("bench", case), driver.Library(name, None), {"ns_per_op": value, "peak_rss_kib": value})
    return made


def table(made, metric="ns_per_op"):
    """{case: [cells]} of the printed table."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        driver.print_metric(made, metric, "title")
    return {words[1]: words[2:] for words in map(str.split, text.getvalue().splitlines()) if words and words[0] == "bench"}


class Table(unittest.TestCase):
    def test_a_difference_within_the_control_is_marked(self):
        rows = table(results({"a": {"glibc": [100], "glibc'": [105], "x": [104], "y": [80], "z": [96]},
                              "b": {"glibc": [100], "glibc'": [95], "x": [96], "y": [120], "z": [100]}}))
        self.assertEqual(rows["a"], ["100", "1.05~", "1.04~", "0.80", "0.96~"])
        self.assertEqual(rows["b"], ["100", "0.95~", "0.96~", "1.20", "1.00~"])

    def test_a_noisy_case_is_judged_by_its_own_control(self):
        quiet = {str(i): {"glibc": [100], "glibc'": [100], "x": [110]} for i in range(8)}
        rows = table(results({**quiet, "noisy": {"glibc": [100], "glibc'": [140], "x": [130]}}))
        self.assertEqual(rows["0"], ["100", "1.00~", "1.10"])
        self.assertEqual(rows["noisy"], ["100", "1.40~", "1.30~"])

    def test_counts_are_exact(self):
        made = results({"a": {"glibc": [100], "x": [100.4]}})
        made.exact = True
        self.assertEqual(table(made)["a"], ["100", "1.00"])

    def test_time_is_the_least_and_memory_the_median(self):
        made = results({"a": {"glibc": [100, 90, 95], "glibc'": [90], "x": [300, 45, 50]}})
        self.assertEqual(made.ratio(("bench", "a"), "x", "ns_per_op"), 0.5)
        self.assertAlmostEqual(made.ratio(("bench", "a"), "x", "peak_rss_kib"), 50 / 95)

    def test_a_failure_is_no_figure(self):
        made = results({"a": {"glibc": [100], "glibc'": [100], "x": [50]}})
        with contextlib.redirect_stderr(io.StringIO()):
            made.fail(("bench", "a"), driver.Library("x", None), "crashed")
        self.assertEqual(table(made)["a"], ["100", "1.00~", "FAIL"])

    def test_small_memory_is_not_compared(self):
        self.assertEqual(table(results({"a": {"glibc": [4000], "glibc'": [4000], "x": [9000]}}), "peak_rss_kib"), {})


class Arguments(unittest.TestCase):
    def test_libraries(self):
        self.assertEqual(driver.parse_library(f"a={__file__},X=1,Y=2").variables, {"X": "1", "Y": "2"})
        for bad in ("a", "=x", "a=/nonexistent.so", f"a={__file__},X"):
            with self.assertRaises(argparse.ArgumentTypeError):
                driver.parse_library(bad)

    def test_who_served(self):
        self.assertTrue(driver.Library("glibc", None).served("/lib/libc.so.6"))
        self.assertFalse(driver.Library("glibc", None).served("/lib/libhakmem.so.1"))
        self.assertFalse(driver.Library("x", __file__).served("/lib/libc.so.6"))

    def test_settings_of_the_caller_do_not_leak_into_runs(self):
        os.environ["HAKMEM_WORKER"] = "on"
        os.environ["LD_PRELOAD"] = ""
        self.assertFalse({"HAKMEM_WORKER", "LD_PRELOAD"} & set(driver.Library("glibc", None).environment()))


if __name__ == "__main__":
    unittest.main()
