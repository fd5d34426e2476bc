"""The benchmark's statistics and outputs, bench/report.py: fixed figures in, what is to come out. No
figure is measured. `make check-bench` runs it."""
import base64
import contextlib
import importlib.util
import io
import json
import pathlib
import re
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as xml

PATH = pathlib.Path(__file__).resolve().parents[2] / "bench/report.py"
SPEC = importlib.util.spec_from_file_location("report", PATH)
report = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(report)

MACHINE = """CPU       Some <CPU> & Co, 2 online, load average 0.10
governor  performance
kernel    Linux 6.1 x86_64
compiler  cc 12.2.0, -O2 -g
date      2026-01-02 03:04 +0000
"""


def rows_of(**subjects):
    """Rows of one case: subject=[values of the rounds]."""
    return report.summarise({"switch": {("chain", "ns"): subjects}})


def row(subject, rows):
    return next(it for it in rows if it["subject"] == subject)


class Statistics(unittest.TestCase):
    def test_median_and_deviation_of_an_odd_number(self):
        coir = row("coir", rows_of(coir=[9, 1, 2, 4, 3]))
        self.assertEqual((coir["min"], coir["median"], coir["mad"], coir["rounds"]), (1, 3, 1, 5))

    def test_median_and_deviation_of_an_even_number(self):
        coir = row("coir", rows_of(coir=[1, 2, 4, 9]))  # from 3: 2, 1, 1, 6
        self.assertEqual((coir["median"], coir["mad"]), (3, 1.5))

    def test_one_outlier_moves_neither(self):
        coir = row("coir", rows_of(coir=[10, 10, 11, 12, 1e9]))
        self.assertEqual((coir["median"], coir["mad"]), (11, 1))

    def test_the_ratio_is_taken_round_by_round(self):
        # The machine was three times slower in the second round: each round says 2, while the
        # ratio of the medians would be 4/3.
        go = row("go", rows_of(coir=[1, 3, 3], go=[2, 6, 4]))
        self.assertEqual(go["ratio"], 2)
        go = row("go", rows_of(coir=[1, 10, 3], go=[2, 20, 6]))
        self.assertEqual((go["ratio"], go["ratio_mad"]), (2, 0))

    def test_rounds_that_only_one_had_are_not_compared(self):
        go = row("go", rows_of(coir=[1, 1, 1, 1], go=[2, 2]))
        self.assertEqual((go["ratio"], go["rounds"], go["ratio_rounds"]), (2, 2, 2))

    def test_nothing_to_divide_by_gives_no_ratio(self):
        go = row("go", rows_of(coir=[0, 0, 0], go=[2, 2, 2]))
        self.assertIsNone(go["ratio"])
        self.assertEqual(report.ratio_text(go), "")

    def test_a_case_that_coir_has_not_got_gives_no_ratio(self):
        go = row("go", rows_of(go=[2, 2, 2]))
        self.assertIsNone(go["ratio"])

    def test_coir_comes_first_and_has_no_ratio_to_itself(self):
        rows = rows_of(ant=[1], coir=[1], bee=[1])
        self.assertEqual([it["subject"] for it in rows], ["coir", "ant", "bee"])
        self.assertIsNone(rows[0]["ratio"])


class Marks(unittest.TestCase):
    def mark(self, coir, go):
        return report.ratio_text(row("go", rows_of(coir=coir, go=go)))

    def test_a_difference_larger_than_the_noise_has_none(self):
        self.assertEqual(self.mark([1, 1, 1, 1], [1.2, 1.3, 1.2, 1.3]), "1.250")

    def test_one_that_is_not_has_a_tilde(self):
        self.assertEqual(self.mark([1, 1, 1, 1, 1], [0.9, 0.8, 1.02, 1.2, 1.3]), "~1.020")

    def test_neither_more_nor_less_than_the_noise_has_one_too(self):
        self.assertEqual(self.mark([1, 1, 1], [1, 1, 1]), "~1.000")

    def test_below_one_counts_as_above(self):
        self.assertEqual(self.mark([1, 1, 1], [0.5, 0.6, 0.5]), "0.500")
        self.assertEqual(self.mark([1, 1, 1], [0.9, 0.7, 1.3]), "~0.900")

    def test_two_rounds_have_a_question_mark_and_three_have_not(self):
        self.assertEqual(self.mark([1, 1], [2, 2]), "?2.000")
        self.assertEqual(self.mark([1, 1, 1], [2, 2]), "?2.000")
        self.assertEqual(self.mark([1, 1, 1], [2, 2, 2]), "2.000")

    def test_of_two_rounds_there_is_no_deviation(self):
        self.assertEqual(report.deviation_text(rows_of(coir=[1, 2])[0]), "-")
        self.assertEqual(report.deviation_text(rows_of(coir=[1, 2, 3])[0]), "1.000")


class Table(unittest.TestCase):
    def test_whole(self):
        self.assertEqual(report.table(rows_of(coir=[2, 2.5, 3], go=[50, 55, 45], go2=[1234567])), """
SWITCH                    min     median       MAD    n     / coir
  chain, ns
    coir                2.000      2.500     0.500    3{0}
    go                  45.00      50.00     5.000    3     22.000
    go2               1234567    1234567         -    1 ?617283.500""".format(" " * 11))

    def test_each_case_and_measure_has_its_line(self):
        lines = report.table(report.summarise({
            "switch": {("chain", "ns"): {"coir": [1]}, ("loops", "ns"): {"go": [1]}},
            "echo": {("1 p50", "us"): {"coir": [1]}}})).splitlines()
        self.assertEqual([line.split()[0] for line in lines if line],
                         ["SWITCH", "chain,", "coir", "loops,", "go", "ECHO", "1", "coir"])


class Standing(unittest.TestCase):
    def standing(self, measure="switch", case="chain", unit="ns", **subjects):
        lines = report.standing(report.summarise({measure: {(case, unit): subjects}}))[2:]
        return lines[0].split() if lines else None

    def test_coir_over_the_floor_and_the_best_other_over_coir(self):
        self.assertEqual(self.standing(coir=[3] * 3, floor=[2] * 3, go=[30] * 3, boost=[6] * 3),
                         ["switch", "chain,", "ns", "3.000", "1.50", "boost", "2.000"])

    def test_the_best_is_the_highest_where_more_is_better(self):
        self.assertEqual(self.standing("echo", "1 requests", "1/s", coir=[100] * 3, epoll=[200] * 3,
                                       go=[50] * 3, uv=[80] * 3),
                         ["echo", "1", "requests,", "1/s", "100", "0.50", "uv", "0.800"])

    def test_what_is_by_hand_is_not_the_best_of_the_others(self):
        self.assertEqual(self.standing("echo", "1 p50", "us", coir=[10] * 3, epoll=[1] * 3,
                                       level=[2] * 3, uv=[20] * 3)[-2:], ["uv", "2.000"])

    def test_bare_switches_count_for_switch_alone(self):
        subjects = dict(coir=[4] * 3, boost=[5] * 3, ucontext=[6] * 3, go=[40] * 3)
        self.assertEqual(self.standing("switch", **subjects)[-2:], ["boost", "1.250"])
        self.assertEqual(self.standing("yield", "2", **subjects)[-2:], ["go", "10.000"])

    def test_without_a_floor_or_others_there_is_nothing_to_say(self):
        self.assertEqual(self.standing(coir=[3] * 3), ["switch", "chain,", "ns", "3.000", "-"])

    def test_a_case_without_coir_is_left_out(self):
        self.assertIsNone(self.standing(go=[3] * 3))

    def test_a_best_that_ties_says_so(self):
        self.assertEqual(self.standing(coir=[1, 1, 1], uv=[1, 0.9, 1.1])[-2:], ["uv", "~1.000"])


class Noise(unittest.TestCase):
    def said(self, **subjects):
        return "\n".join(report.noise(rows_of(**subjects)))

    def test_a_quiet_run_is_not_warned_of(self):
        said = self.said(coir=[1, 1, 1], go=[2, 2, 2])
        self.assertIn("more than 0.0 % (MAD); of 1 ratios 0 are", said)
        self.assertNotIn("WARNING", said)

    def test_large_deviations_are(self):
        self.assertIn("WARNING", self.said(coir=[1, 1.1, 0.9], go=[20, 24, 18]))

    def test_differences_within_the_noise_are(self):
        self.assertIn("of 1 ratios 1 are", self.said(coir=[1, 1, 1], go=[1, 0.999, 1.001]))
        self.assertIn("WARNING", self.said(coir=[1, 1, 1], go=[1, 0.999, 1.001]))

    def test_of_too_few_rounds_nothing_is_known(self):
        self.assertIn("not known", self.said(coir=[1, 1], go=[2, 2]))


class Growth(unittest.TestCase):
    def test_slope_and_growth(self):
        cases = {}
        for tasks in (100, 1000, 10000):
            cases[f"{tasks} resident", "bytes"] = {"coir": [4096 + 5000 / tasks]}
            cases[f"{tasks} page tables", "bytes"] = {"coir": [256]}
            cases[f"{tasks} yield", "ns"] = {"coir": [4 + tasks / 10000], "floor": [2]}
        said = "\n".join(report.growth(report.summarise({"growth": cases})))
        self.assertIn("4096 bytes a task resident + 256 of page tables", said)
        self.assertRegex(said, r"yield +4\.010 ns with 100 tasks, +5\.000 with 10000: \+1\.0; "
                               r"the floor's \+0\.0")


class Whole(unittest.TestCase):
    """A folder with results in, a folder with a report out."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coir-report-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "machine").write_text(MACHINE)
        (self.folder / "notes").write_text("not measured: a<b> & c\n")

    def results(self, *lines):
        (self.folder / "results.tsv").write_text("".join(f"{line}\n" for line in lines))

    def make(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            report.main(self.folder)
        return said.getvalue()

    def all_kinds(self):
        lines = []
        for subject, factor in (("coir", 1), ("floor", 0.5), ("go_2", 10), ("level", 2)):
            for value in (2, 2.1, 2.2):
                for case in ("chain", "loops-fp"):
                    lines.append(f"switch\t{case}\tns\t{subject}\t{value * factor}")
                for tasks in (2, 100, 1000):
                    lines.append(f"yield\t{tasks}\tns\t{subject}\t{value * factor}")
                    lines.append(f"yield\t{tasks}-mixed\tns\t{subject}\t{value * factor}")
                    lines.append(f"growth\t{tasks} wake\tns\t{subject}\t{value * factor}")
                    lines.append(f"growth\t{tasks} resident\tbytes\t{subject}\t{value * factor}")
                    if subject == "coir":
                        lines.append(f"growth\t{tasks} page tables\tbytes\tcoir\t256")
                lines.append(f"echo\t1 requests\t1/s\t{subject}\t{value * factor}")
                lines.append(f"echo\t1 p50\tus\t{subject}\t{value * factor * 1000}")
                lines.append(f"echo\t1 system calls\tper request\t{subject}\t{value}")
                lines.append(f"echo\t1 read\tper request\t{subject}\t0")
                lines.append(f"unheard-of\tx {{y}}_z@\tfurlongs\t{subject}\t0")
        self.results(*lines)

    def test_json_has_every_figure_in_its_order_and_the_machine(self):
        self.results("switch\tchain\tns\tcoir\t3", "switch\tchain\tns\tgo\t9",
                     "switch\tchain\tns\tcoir\t1", "switch\tchain\tns\tgo\t4")
        self.make()
        made = json.loads((self.folder / "results.json").read_text())
        self.assertEqual(made["machine"], MACHINE.splitlines())
        self.assertEqual(made["notes"], ["not measured: a<b> & c"])
        self.assertEqual(made["figures"], [
            {"measure": "switch", "case": "chain", "unit": "ns", "subject": "coir", "min": 1,
             "median": 2, "mad": 1, "rounds": 2, "values": [3, 1], "ratio": None, "ratio_mad": None,
             "ratio_rounds": 2},
            {"measure": "switch", "case": "chain", "unit": "ns", "subject": "go", "min": 4,
             "median": 6.5, "mad": 2.5, "rounds": 2, "values": [9, 4], "ratio": 3.5,
             "ratio_mad": 0.5, "ratio_rounds": 2}])

    def test_nothing_measured_is_no_report(self):
        self.results()
        with self.assertRaises(SystemExit) as ended:
            self.make()
        self.assertIn("no figures", str(ended.exception))

    def test_the_page_needs_no_other_file_and_is_well_formed(self):
        self.all_kinds()
        said = self.make()
        page = (self.folder / "index.html").read_text()
        tree = xml.fromstring(page.replace("<!DOCTYPE html>", ""))
        self.assertFalse(tree.findall(".//script") + tree.findall(".//link"))
        self.assertFalse(re.search(r"https?:|file:|url\(", re.sub(r"base64,[^\"]*", "", page)))
        text = "".join(tree.itertext())
        for part in MACHINE.splitlines() + ["not measured: a<b> & c"]:
            self.assertIn(part, text)
        for line in said.splitlines():
            if not line.startswith(report.NO_PLOTS):
                self.assertIn(line, text)
        for picture in tree.findall(".//img"):
            self.assertTrue(picture.get("src").startswith("data:image/svg+xml;base64,"))
            self.assertTrue(picture.get("alt"))

    @unittest.skipUnless(shutil.which("gnuplot"), "needs gnuplot")
    def test_plots_are_well_formed_say_where_they_were_made_and_are_all_in_the_page(self):
        self.all_kinds()
        (self.folder / "of-another-run.svg").touch()
        self.make()
        drawn = {path.stem for path in self.folder.glob("*.svg")}
        self.assertEqual(drawn, {
            "switch-ns", "yield-from-one-call-site", "yield-from-eight-functions", "growth-ns-an-operation",
            "growth-bytes-a-task", "echo-1-per-s", "echo-us", "echo-per-request", "unheard-of-furlongs"})
        page = (self.folder / "index.html").read_text()
        for path in self.folder.glob("*.svg"):
            tree = xml.fromstring(path.read_text())
            self.assertEqual(tree.tag, "{http://www.w3.org/2000/svg}svg")
            text = "".join(tree.itertext())
            for part in ("Some <CPU> & Co", "governor performance", "Linux 6.1", "cc 12.2.0, -O2 -g", "2026-01-02", "coir"):
                self.assertIn(part, text, path.name)
            self.assertNotIn("{/", text, "gnuplot's markup is shown as it is")
            self.assertIn(base64.b64encode(path.read_bytes()).decode(), page)

    @unittest.skipUnless(shutil.which("gnuplot"), "needs gnuplot")
    def test_plots_name_their_unit_and_the_floor_and_show_names_as_they_are(self):
        self.all_kinds()
        self.make()

        def text(name):
            return "".join(xml.fromstring((self.folder / f"{name}.svg").read_text()).itertext())

        self.assertIn("ns a switch", text("switch-ns"))
        self.assertIn("requests a second", text("echo-1-per-s"))
        self.assertIn("more is better", text("echo-1-per-s"))
        self.assertIn("µs a request", text("echo-us"))
        self.assertIn("level, by hand", text("echo-us"))
        self.assertIn("bytes a task", text("growth-bytes-a-task"))
        self.assertIn("Memory", text("growth-bytes-a-task"))
        self.assertIn("go_2", text("switch-ns"))
        self.assertIn("x {y}_z@", text("unheard-of-furlongs"))
        self.assertNotIn("read", text("echo-per-request").replace("already", ""))

    def test_colours(self):
        self.assertEqual(len({report.colour_of(name) for name in ("coir", "floor", "go")}), 3)
        self.assertEqual(report.colour_of("epoll"), report.colour_of("floor"))

    def test_bars_are_logarithmic_where_the_values_lie_far_apart(self):
        def script(*values):
            return report.bars("t", "w", "ns", rows_of(**{f"s{i}": [v] for i, v in enumerate(values)}))
        self.assertIn("set logscale x", script(1, 11))
        self.assertIn("ns, logarithmic", script(1, 11))
        self.assertNotIn("logscale", script(1, 9))
        self.assertIn("set xrange [0:", script(1, 9))

    def test_bars_have_the_best_on_top(self):
        def from_the_top(unit):
            script = report.bars("t", "w", unit, rows_of(ant=[5], bee=[2], cow=[9]))
            return [name for name, at in sorted(re.findall(r'"(ant|bee|cow)" (\d)', script),
                                                key=lambda it: -int(it[1]))]
        self.assertEqual(from_the_top("ns"), ["bee", "ant", "cow"])
        self.assertEqual(from_the_top("1/s"), ["cow", "ant", "bee"])

    def test_bars_show_the_noise_of_three_rounds_and_not_of_two(self):
        def noise(*values):
            return report.bars("t", "w", "ns", rows_of(coir=values)).split("\ne\n")[1]
        self.assertEqual(noise(10, 11, 12), "11 0 10 12")
        self.assertEqual(noise(10, 12), "")


if __name__ == "__main__":
    unittest.main()
