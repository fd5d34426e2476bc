"""gevent: gevent_tasks.py gevent MEASURE CASE..."""
import gc
import os
import sys
import time

import gevent
import gevent.lock
import gevent.queue
import gevent.server

import bench


def measure_yield(name):
    if name.endswith("-mixed"):
        bench.cannot("one call site is like another to an interpreter")
    tasks, over, turns = int(name), False, 1

    def follow():
        while not over:
            for _ in range(turns):
                gevent.sleep(0)

    others = [gevent.spawn(follow) for _ in range(tasks - 1)]
    timer = bench.Timer()
    for turns in timer:
        for _ in range(turns):
            gevent.sleep(0)
    over = True
    gevent.joinall(others)
    bench.report(name, timer.ns / tasks)


def nothing():
    pass


def measure_spawn(name):
    tasks = int(name)
    timer = bench.Timer()
    for count in timer:
        for _ in range(count):
            gevent.joinall([gevent.spawn(nothing) for _ in range(tasks)])
    bench.report(name, timer.ns / tasks)


measure_gather = measure_spawn


def measure_channel(name):
    kind, capacity = name.split("-")
    make = gevent.queue.Channel if capacity == "0" else lambda: gevent.queue.Queue(int(capacity))
    there, back = make(), make()
    timer = bench.Timer()

    def answer():
        while True:
            back.put(there.get())

    def produce():
        while True:
            there.put(1)

    other = gevent.spawn(answer if kind == "pingpong" else produce)
    for count in timer:
        for i in range(count):
            if kind == "pingpong":
                there.put(i)
                back.get()
            else:
                there.get()
    other.kill()
    bench.report(name, timer.ns / (2 if kind == "pingpong" else 1))


def measure_mutex(name):
    if not name.startswith("mutex"):
        bench.cannot("measured with a mutex only")
    lock, sections, over = gevent.lock.BoundedSemaphore(1), 0, False
    timer = bench.Timer()
    handed = name == "mutex-handed"

    def section():
        nonlocal sections
        with lock:
            sections += 1
            if handed:
                gevent.sleep(0)

    def rival():
        while not over:
            section()

    other = gevent.spawn(rival) if handed else None
    for count in timer:
        enough = sections + count
        while sections < enough:
            section()
    over = True
    if other is not None:
        other.join()
    bench.report(name, timer.ns)


def measure_sleep(name):
    tasks, began = int(name), time.process_time_ns()
    naps = [gevent.spawn(gevent.sleep, bench.nap(i)) for i in range(tasks)]
    gevent.sleep(0)
    started = time.process_time_ns()
    gevent.joinall(naps)
    bench.report_slept(tasks, began, started)


def measure_cancel(name):
    tasks = int(name)
    asleep = [gevent.spawn(gevent.sleep, 3600) for _ in range(tasks)]
    gevent.sleep(0)
    began = time.perf_counter_ns()
    gevent.killall(asleep, block=False)
    cut = time.perf_counter_ns()
    gevent.joinall(asleep)
    joined = time.perf_counter_ns()
    bench.report_cancelled(name, began, cut, joined)


def measure_deadline(name):
    if name == "none":
        bench.cannot("gevent has no scope without a deadline that would cost something")
    outstanding = int(name) if name.isdigit() else 0
    others = [gevent.Timeout.start_new(600 + bench.nap(i)) for i in range(outstanding)]
    timer = bench.Timer()
    for count in timer:
        for _ in range(count):
            with gevent.Timeout(30):
                pass
    for other in others:
        other.close()
    bench.report(name, timer.ns)


def measure_park(name):
    if name.endswith("-grown"):
        bench.cannot("what Python uses of the stack is no measure of it")
    tasks, before, began = int(name), bench.memory(), time.perf_counter_ns()
    all_of_them = [gevent.spawn(gevent.sleep, 3600) for _ in range(tasks)]
    gevent.sleep(0)
    assert len(all_of_them) == tasks
    bench.report_parked(name, tasks, before, began)


def echo(connection, _):
    while True:
        data = connection.recv(2048)
        if not data:
            return
        connection.sendall(data)


def serve_echo():
    server = gevent.server.StreamServer(("127.0.0.1", 0), echo, backlog=4096)
    server.start()
    print(os.getpid(), "127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()


def main(measure, cases):
    if measure == "echo":
        serve_echo()
    gc.disable()
    bench.pin()
    for case in cases:
        globals()["measure_" + measure](case)


main(sys.argv[2], sys.argv[3:])
