"""The benchmark's runner, bench/run.sh, with programs that only pretend to measure: shell scripts in
a folder of their own, and a compiler that compiles nothing. No figure is real, and no time passes
that a test does not say. `make check-bench` runs it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
COMPILER = """#!/bin/sh
[ "$1" != --version ] || { echo "fake 1.0"; exit; }
while [ $# -gt 1 ]; do [ "$1" != -o ] || : >"$2"; shift; done
"""
PRINTS = """#!/bin/sh
echo "${0##*-} $1" >>"$RAN"
printf '%%s\\tns\\t%s\\n' "$1"
"""
TOOLS = ("sh echo awk sed cat tr head tail wc date mkdir mkfifo rm mv cp chmod find grep dirname basename "
         "env timeout sleep uname getconf cut xargs tee sort touch kill true false ps").split()


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coir-bench-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.bench = self.folder / "bench"
        for name in ("lib", "shapes", "peers/tasks", "peers/python"):
            (self.bench / name).mkdir(parents=True)
        for name in ("run.sh", "report.py", "http.sh", "syscalls.sh"):
            shutil.copy(BENCH / name, self.bench)
        (self.bench / "lib/bench.c").touch()
        (self.bench / "peers/tasks/coir.h").touch()
        for module in ("asyncio", "uvloop", "gevent"):  # is not here, whatever is installed
            (self.folder / f"{module}.py").write_text("raise ImportError")
        self.built = self.folder / "build/bench"
        self.built.mkdir(parents=True)
        compiler = self.script(self.folder / "cc", COMPILER)
        (self.built / "made-with").write_text(f"{compiler} {compiler} -O2\n")
        self.ran = self.folder / "ran"

    def script(self, path, text):
        path.write_text(text)
        path.chmod(0o755)
        return path

    def program(self, name, text=PRINTS % "1.5"):
        return self.script(self.built / name, text if text.startswith("#!") else
                           "#!/bin/sh\n" + text + "\n")

    def environment(self, **more):
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**keep, "CC": str(self.folder / "cc"), "CXX": str(self.folder / "cc"),
                "CFLAGS": "-O2", "RAN": str(self.ran), "LC_ALL": "C",
                "PYTHONPATH": str(self.folder), **more}

    def change(self, pattern, text):
        """Another constant or plan for the runner; the first line that matches is it."""
        path = self.bench / "run.sh"
        changed, count = re.subn(f"(?m)^{pattern}", text, path.read_text(), count=1)
        self.assertEqual(count, 1, pattern)
        path.write_text(changed)

    def run_sh(self, **more):
        return subprocess.run(["sh", self.bench / "run.sh", self.built], text=True, timeout=60,
                              capture_output=True, env=self.environment(**more),
                              stdin=subprocess.DEVNULL)

    def figures(self):
        return json.loads((self.built / "results.json").read_text())["figures"]

    def notes(self):
        return (self.built / "notes").read_text()


class Wishes(Run):
    def refused(self, words, **wish):
        self.program("switch-coir")
        done = self.run_sh(**wish)
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse(self.ran.exists(), "something was run")

    def test_an_unknown_measure_is_refused_and_those_that_are_there_are_named(self):
        self.refused(['"swich"', "switch yield"], MEASURE="yield swich")

    def test_a_measure_that_the_quick_run_leaves_out_is_refused_there(self):
        self.refused(['"sleep" in the quick run'], MEASURE="sleep", QUICK="1")

    def test_rounds_are_a_number_of_one_or_more(self):
        for rounds in ("abc", "0", "-1", "2x", "1.5", "00"):
            with self.subTest(rounds):
                self.refused([f"ROUNDS={rounds}:"], ROUNDS=rounds, MEASURE="switch")

    def test_a_cpu_that_is_none_is_refused(self):
        for cpu in ("99999", "abc", "-1", "0-1"):
            with self.subTest(cpu):
                self.refused([f"BENCH_CPU={cpu}:", "one of "], BENCH_CPU=cpu, MEASURE="switch")
                self.refused([f"BENCH_CPU_LOAD={cpu}:"], BENCH_CPU_LOAD=cpu, MEASURE="switch")

    def test_a_cpu_that_is_one_is_taken_and_told_to_the_programs(self):
        cpu = str(max(os.sched_getaffinity(0)))
        self.program("switch-coir", 'printf "%s\\tns\\t$BENCH_CPU\\n" "$1"')
        self.assertEqual(self.run_sh(MEASURE="switch", ROUNDS="1", BENCH_CPU=cpu).returncode, 0)
        self.assertEqual({row["median"] for row in self.figures()}, {float(cpu)})

    def test_without_a_folder_it_says_how_it_is_called(self):
        done = subprocess.run(["sh", self.bench / "run.sh"], text=True, capture_output=True,
                              env=self.environment())
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("usage: run.sh", done.stderr)


class Rounds(Run):
    def test_subjects_take_turns_coir_first_as_often_as_asked(self):
        for subject in ("zoo", "coir", "ant"):
            self.program(f"select-{subject}")
        self.assertEqual(self.run_sh(MEASURE="select", ROUNDS="3").returncode, 0)
        turn = [f"{subject} {case}" for case in ("4", "4-senders") for subject in ("coir", "ant", "zoo")]
        self.assertEqual(self.ran.read_text().splitlines(), 3 * turn)
        self.assertEqual({row["rounds"] for row in self.figures()}, {3})

    def test_without_a_number_there_are_as_many_as_the_time_allows_and_no_more_than_nine(self):
        self.program("select-coir")
        self.assertEqual(self.run_sh(MEASURE="select").returncode, 0)
        self.assertEqual({row["rounds"] for row in self.figures()}, {9})

    def test_a_measure_that_took_longer_than_planned_leaves_less_to_the_others(self):
        self.change(r"switch +\d+ ", "switch 1 ")
        self.change(r"select +\d+ ", "select 20 ")
        self.program("switch-coir", 'sleep 0.7; printf "%s\\tns\\t1\\n" "$1"')  # 6 cases: 4.2 s
        self.program("select-coir")
        began = time.monotonic()
        self.assertEqual(self.run_sh(MEASURE="switch select").returncode, 0)
        rounds = {row["measure"]: row["rounds"] for row in self.figures()}
        self.assertEqual(rounds["switch"], 1)
        self.assertGreater(rounds["select"], 1)
        self.assertLess(time.monotonic() - began, 30)

    def test_echo_loads_all_servers_at_once_or_one_by_one_where_that_cannot_be(self):
        for subject in ("coir", "go"):
            self.program(f"echo-{subject}")
        self.program("load", """
            [ "$1" != 1000 ] || [ $# = 2 ] || { echo "needs more descriptors" >&2; exit 77; }
            case=$1; shift; echo "$case: $*" >>"$RAN"
            for server; do printf "$case p50\\tus\\t1\\t${server##*-}\\n"; done""")
        self.change(r"echo +\d+ .*", "echo 9 64 1000")
        self.script(self.bench / "syscalls.sh", "exit 77\n")
        done = self.run_sh(MEASURE="echo", ROUNDS="2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        coir, go = self.built / "echo-coir", self.built / "echo-go"
        self.assertEqual(self.ran.read_text().splitlines(),
                         2 * [f"64: {coir} {go}", f"1000: {coir}", f"1000: {go}"])
        self.assertIn("not measured: echo-all-at-once: 1000: needs more descriptors", done.stdout)
        self.assertEqual({row["rounds"] for row in self.figures()}, {2})

    def test_every_measure_has_its_first_round_though_no_time_is_left(self):
        for measure in ("switch", "select", "gather"):
            self.change(rf"{measure} +\d+ ", f"{measure} 0 ")
            self.program(f"{measure}-coir")
        self.assertEqual(self.run_sh(MEASURE="switch select gather").returncode, 0)
        self.assertEqual({(row["measure"], row["rounds"]) for row in self.figures()},
                         {("switch", 1), ("select", 1), ("gather", 1)})

    def test_what_takes_long_has_one_round(self):
        self.program("gather-coir")
        self.program("gather-slow", 'sleep 0.7; printf "%s\\tns\\t1\\n" "$1"')
        self.change(r"slow=\d+", "slow=60")
        self.change(r"gather +\d+ 10 1000", "gather 8 10")
        self.assertEqual(self.run_sh(MEASURE="gather", ROUNDS="3").returncode, 0)
        self.assertEqual({row["subject"]: row["rounds"] for row in self.figures()},
                         {"coir": 3, "slow": 1})


class Failures(Run):
    def fails(self, text, words, status=1):
        self.program("gather-coir")
        self.program("gather-other", text)
        done = self.run_sh(MEASURE="gather", ROUNDS="2")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stdout)
        self.assertEqual({row["subject"] for row in self.figures()}, {"coir"})
        self.assertEqual({row["rounds"] for row in self.figures()}, {2})
        return done.stdout

    def test_one_that_crashes_fails_the_run_at_its_end(self):
        self.fails("kill -SEGV $$", ["gather-other 10 FAILED (status 139)"])

    def test_one_that_fails_says_why_and_is_not_asked_again(self):
        said = self.fails('echo "$1" >>"$RAN.other"; echo no such luck >&2; exit 3',
                          ["gather-other 10 FAILED (status 3): no such luck"])
        self.assertEqual(said.count("gather-other 10 FAILED"), 1)
        self.assertEqual(pathlib.Path(f"{self.ran}.other").read_text().split(), ["10", "1000"])

    def test_one_that_prints_nothing_fails(self):
        self.fails("true", ["gather-other 10 FAILED", "it printed no figure"])

    def test_one_that_prints_what_is_no_figure_fails_and_none_of_it_counts(self):
        for line in ("hello", "10\\tns", "10\\tns\\tfast", "10\\tns\\tnan", "10\\tns\\t-inf",
                     "10\\tns\\t1.5 ns", "10\\tns\\t"):
            with self.subTest(line):
                self.fails(f"printf '10\\tns\\t1.5\\n{line}\\n'",
                           ["gather-other 10 FAILED", "it printed what is no figure: "])

    def test_one_that_cannot_says_why_and_nothing_has_failed(self):
        self.fails("echo its library is too old >&2; exit 77",
                   ["not measured: gather-other: 10 1000: its library is too old"], status=0)

    def test_one_that_takes_too_much_of_the_processor_is_ended_and_named(self):
        self.change(r"cpu_max=\d+", "cpu_max=1")
        self.fails("while :; do :; done", ["not measured: gather-other: 10: killed, it takes more "
                                           "than 1 s of CPU time"], status=0)

    def test_one_that_hangs_is_ended_and_fails(self):
        self.change(r"hangs=\d+", "hangs=1")
        self.fails("sleep 77", ["gather-other 10 FAILED: it hangs, and was ended after 1 s"])

    def test_coir_itself_may_fail_and_the_others_have_their_figures(self):
        self.program("gather-coir", "exit 1")
        self.program("gather-other")
        done = self.run_sh(MEASURE="gather", ROUNDS="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("gather-coir 10 FAILED", done.stdout)
        self.assertEqual({(row["subject"], row["ratio"]) for row in self.figures()},
                         {("other", None)})

    def test_a_measure_without_programs_is_told(self):
        done = self.run_sh(MEASURE="gather", ROUNDS="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no figures", done.stdout + done.stderr)


class Missing(Run):
    """What is not installed: left out, named, and no failure."""

    def bare(self, *without):
        """A path with the tools alone that the runner needs."""
        folder = self.folder / "path"
        folder.mkdir()
        for tool in TOOLS + ["python3"]:
            found = shutil.which(tool)
            if found and tool not in without:
                self.script(folder / tool, f'#!/bin/sh\nexec {found} "$@"\n')
        shell = folder / "sh"
        shell.unlink()
        shell.symlink_to(shutil.which("sh"))
        return str(folder)

    def test_peers_that_do_not_compile_are_named_with_what_they_need(self):
        for name in ("some", "other"):
            (self.bench / f"peers/gather-{name}.c").write_text("/* Link with: -lsome\n */\n")
        self.script(self.folder / "cc", COMPILER.replace(
            "while", 'case "$*" in *-lsome*) echo "x.c:1: fatal error: some.h: No such file" >&2;'
            " exit 1 ;; esac\nwhile"))
        self.program("gather-coir")
        done = self.run_sh(MEASURE="gather", ROUNDS="1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not measured: gather-other gather-some: no build here (needs -lsome): some.h: "
                      "No such file\n", done.stdout)
        self.assertIn("make bench-deps installs what is missing", done.stdout)

    def test_a_peer_is_built_before_the_run_and_not_again(self):
        (self.bench / "peers/gather-some.c").write_text("/* nothing */\n")
        self.program("gather-coir")
        self.assertIn("built     1 programs", self.run_sh(MEASURE="gather", ROUNDS="1").stdout)
        self.assertNotIn("built ", self.run_sh(MEASURE="gather", ROUNDS="1").stdout)

    def test_no_wrk_and_no_perf(self):
        for subject in ("coir", "go"):
            self.program(f"http-{subject}")
        self.program("echo-coir")
        self.program("load", 'printf "$1 requests\\t1/s\\t1000\\tcoir\\n"')
        done = self.run_sh(MEASURE="http echo", ROUNDS="1", PATH=self.bare())
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertIn("not measured: http-go: 64 1000: HTTP is not measured: needs wrk", done.stdout)
        self.assertIn("not measured: echo-coir: calls-64 calls-1000: system calls are not counted: no perf",
                      done.stdout)

    def test_no_gnuplot_leaves_out_the_plots_and_says_so(self):
        self.program("gather-coir")
        done = self.run_sh(MEASURE="gather", ROUNDS="1", PATH=self.bare())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no plots: needs gnuplot", done.stdout + done.stderr)
        self.assertIn("no plots: needs gnuplot", (self.built / "index.html").read_text())

    def test_no_python_is_said_before_anything_is_measured(self):
        self.program("gather-coir")
        done = self.run_sh(MEASURE="gather", ROUNDS="1", PATH=self.bare("python3"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("needs python3", done.stderr)
        self.assertFalse(self.ran.exists())


class Interrupts(Run):
    def interrupted(self, number, program="gather-coir"):
        """Interrupts a run whose program has started another one; both must be gone."""
        mark = f"{self.folder}/still-there"
        self.script(self.folder / "hangs", f"#!/bin/sh\necho $$ >>'{mark}'\nsleep 55\n")
        self.program(program, f"'{self.folder}/hangs' & '{self.folder}/hangs'; wait")
        run = subprocess.Popen(["sh", self.bench / "run.sh", self.built], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, env=self.environment(MEASURE="gather"),
                               start_new_session=True)
        self.addCleanup(run.kill)
        self.wait_for(lambda: os.path.exists(mark) and
                      len(pathlib.Path(mark).read_text().split()) == 2)
        run.send_signal(number)
        _, said = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 130)
        self.assertIn("interrupted; nothing is left running", said)
        for pid in pathlib.Path(mark).read_text().split():
            self.wait_for(lambda: not self.runs(pid), seconds=5)

    def wait_for(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, "it does not come to pass")
            time.sleep(0.02)

    def runs(self, pid):
        try:
            return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def test_an_interrupt_leaves_nothing_running(self):
        self.interrupted(signal.SIGINT)

    def test_nor_does_being_told_to_end(self):
        self.interrupted(signal.SIGTERM)

    def test_what_compiles_is_ended_as_well(self):
        mark = f"{self.folder}/still-there"
        (self.bench / "peers/gather-some.c").write_text("/* nothing */\n")
        self.script(self.folder / "cc", COMPILER.replace(
            "while", f"case \"$*\" in *gather-some*) echo $$ >'{mark}'; exec sleep 55 ;; esac\nwhile"))
        self.program("gather-coir")
        run = subprocess.Popen(["sh", self.bench / "run.sh", self.built], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, env=self.environment(MEASURE="gather"),
                               start_new_session=True)
        self.addCleanup(run.kill)
        self.wait_for(lambda: os.path.exists(mark) and pathlib.Path(mark).read_text().strip())
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=20)
        self.assertEqual(run.returncode, 130)
        pid = pathlib.Path(mark).read_text().strip()
        self.wait_for(lambda: not self.runs(pid), seconds=5)


class Outputs(Run):
    def test_the_plan_ends_in_time(self):
        plan = (self.bench / "run.sh").read_text()
        for name, most in (("plan", 270), ("quick_plan", 50)):
            lines = re.search(rf"(?ms)^{name}\(\) {{.*?<<END\n(.*?)^END", plan).group(1).splitlines()
            self.assertGreater(len(lines), 10)
            self.assertLessEqual(sum(int(line.split()[1]) for line in lines), most)

    def test_all_say_what_machine_it_was_which_compiler_which_flags_and_when(self):
        self.program("gather-coir")
        done = self.run_sh(MEASURE="gather", ROUNDS="1")
        machine = "\n".join(json.loads((self.built / "results.json").read_text())["machine"])
        page = (self.built / "index.html").read_text()
        for text in (done.stdout, machine, page):
            for name in ("CPU", "governor", "kernel", "compiler", "date", "pinned"):
                self.assertRegex(text, rf"(?m){name} +\S")
            self.assertIn("fake 1.0, -O2", text)
            self.assertRegex(text, r"date +\d{4}-\d\d-\d\d \d\d:\d\d")


if __name__ == "__main__":
    unittest.main()
