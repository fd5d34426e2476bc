"""What the peers in Python share: the twin of lib/bench.h. A program is called with the measure and
its cases, and prints the same line a figure."""
import os
import re
import statistics
import sys
import time

RUN_NS = 20_000_000  # shortest run that counts
PIECES = 32  # that it is cut into; the median of them counts


def pin():
    cpu = os.environ.get("BENCH_CPU")
    if cpu:
        os.sched_setaffinity(0, {int(cpu)})


def report(name, value, unit="ns"):
    print(f"{name}\t{unit}\t{value:.3f}", flush=True)


class Timer:
    """Tells how often to do something until a run took long enough: `for count in timer: do it`."""

    def __iter__(self):
        count = 1
        while True:
            start = time.perf_counter_ns()
            yield count
            took = time.perf_counter_ns() - start
            if took >= RUN_NS:
                break
            count = min(count * 8, count * RUN_NS * 5 // 4 // (took + 1) + 1)
        pieces = []
        for _ in range(min(PIECES, count)):
            start = time.perf_counter_ns()
            yield count // min(PIECES, count)
            pieces.append(time.perf_counter_ns() - start)
        self.ns = statistics.median(pieces) / (count // min(PIECES, count))


def memory():
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    with open("/proc/self/status") as file:
        tables = int(re.search(r"VmPTE:\s*(\d+)", file.read())[1]) * 1024
    return resident, tables


def report_parked(name, tasks, before, began):
    took = time.perf_counter_ns() - began
    resident, tables = memory()
    report(f"{name} resident", (resident - before[0]) / tasks, "bytes")
    report(f"{name} page tables", (tables - before[1]) / tasks, "bytes")
    report(f"{name} to park", took / tasks)
    os._exit(0)


def report_slept(tasks, cpu_began, cpu_started):
    report(f"{tasks} in all", (time.process_time_ns() - cpu_began) / tasks)
    report(f"{tasks} once started", (time.process_time_ns() - cpu_started) / tasks)


def report_cancelled(name, began, cut, joined):
    for what, ns in ("cut", cut - began), ("join", joined - cut), ("both", joined - began):
        report(f"{name} {what}", ns / int(name))


def nap(index):
    """The same draw as shapes/sleep.c, in seconds."""
    draw = (index * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 40
    return 0.1 + draw / (1 << 24)


def cannot(why):
    print(why, file=sys.stderr)
    sys.exit(77)
