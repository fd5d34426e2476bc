"""asyncio, on its own loop or on uvloop: asyncio_tasks.py SUBJECT MEASURE CASE..."""
import asyncio
import gc
import os
import socket
import sys
import time

import bench


async def measure_yield(name):
    if name.endswith("-mixed"):
        bench.cannot("one call site is like another to an interpreter")
    tasks, over, turns = int(name), False, 1

    async def follow():
        while not over:
            for _ in range(turns):
                await asyncio.sleep(0)

    others = [asyncio.create_task(follow()) for _ in range(tasks - 1)]
    timer = bench.Timer()
    for turns in timer:
        for _ in range(turns):
            await asyncio.sleep(0)
    over = True
    for task in others:
        await task
    bench.report(name, timer.ns / tasks)


async def nothing():
    pass


async def measure_spawn(name):
    tasks = int(name)
    timer = bench.Timer()
    for count in timer:
        for _ in range(max(1, count)):
            started = [asyncio.create_task(nothing()) for _ in range(tasks)]
            for task in started:
                await task
    bench.report(name, timer.ns / tasks)


async def measure_gather(name):
    calls = int(name)
    timer = bench.Timer()
    for count in timer:
        for _ in range(count):
            await asyncio.gather(*(nothing() for _ in range(calls)))
    bench.report(name, timer.ns / calls)


async def measure_channel(name):
    kind, capacity = name.split("-")
    if capacity == "0":
        bench.cannot("asyncio.Queue has no hand-over without a buffer")
    there, back = asyncio.Queue(int(capacity)), asyncio.Queue(int(capacity))
    timer = bench.Timer()

    async def answer():
        while True:
            await back.put(await there.get())

    async def produce():
        while True:
            await there.put(1)

    other = asyncio.create_task(answer() if kind == "pingpong" else produce())
    for count in timer:
        for i in range(count):
            if kind == "pingpong":
                await there.put(i)
                await back.get()
            else:
                await there.get()
    other.cancel()
    bench.report(name, timer.ns / (2 if kind == "pingpong" else 1))


async def measure_mutex(name):
    if not name.startswith("mutex"):
        bench.cannot("measured with a mutex only")
    lock, sections, over = asyncio.Lock(), 0, False
    timer = bench.Timer()
    handed = name == "mutex-handed"

    async def section():
        nonlocal sections
        async with lock:
            sections += 1
            if handed:
                await asyncio.sleep(0)

    async def rival():
        while not over:
            await section()

    other = asyncio.create_task(rival()) if handed else None
    for count in timer:
        enough = sections + count
        while sections < enough:
            await section()
    over = True
    if other is not None:
        await other
    bench.report(name, timer.ns)


async def measure_sleep(name):
    tasks, began = int(name), time.process_time_ns()
    naps = [asyncio.create_task(asyncio.sleep(bench.nap(i))) for i in range(tasks)]
    await asyncio.sleep(0)
    started = time.process_time_ns()
    for task in naps:
        await task
    bench.report_slept(tasks, began, started)


async def measure_cancel(name):
    tasks = int(name)
    asleep = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(tasks)]
    await asyncio.sleep(0)
    began = time.perf_counter_ns()
    for task in asleep:
        task.cancel()
    cut = time.perf_counter_ns()
    ends = await asyncio.gather(*asleep, return_exceptions=True)
    joined = time.perf_counter_ns()
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    bench.report_cancelled(name, began, cut, joined)


async def measure_deadline(name):
    if name == "none":
        bench.cannot("asyncio has no scope without a deadline that would cost something")
    loop = asyncio.get_running_loop()
    outstanding = int(name) if name.isdigit() else 0
    others = [loop.call_later(600 + bench.nap(i), nothing) for i in range(outstanding)]
    timer = bench.Timer()
    for count in timer:
        for _ in range(count):
            async with asyncio.timeout(30):
                pass
    for other in others:
        other.cancel()
    bench.report(name, timer.ns)


async def measure_park(name):
    if name.endswith("-grown"):
        bench.cannot("a coroutine of Python has no stack that grows")
    tasks, before, began = int(name), bench.memory(), time.perf_counter_ns()
    all_of_them = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(tasks)]
    await asyncio.sleep(0)
    assert len(all_of_them) == tasks
    bench.report_parked(name, tasks, before, began)


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve_echo(*_):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, family=socket.AF_INET, backlog=4096)
    print(os.getpid(), "127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(subject, measure, cases):
    if subject == "uvloop":
        import uvloop
        uvloop.install()
    if measure == "echo":
        asyncio.run(serve_echo())
    gc.disable()
    bench.pin()
    for case in cases:
        asyncio.run(globals()["measure_" + measure](case))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
