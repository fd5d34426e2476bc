# Coir in gdb: lists scopes and tasks, and shows a task that waits as if it were a thread.
#
# Works on a live process and on a core file. The library carries this text in its section
# .debug_gdb_scripts, from where gdb loads it; `source` loads it by hand. What lies where is read
# from a table in the program's data (layout.h says how it is found), so that neither debug
# information nor symbols of the library are needed. Backtraces are gdb's own: the task that is
# selected is presented to it as the caller of the frame in which its thread really is.
#
# gdb runs all scripts in one namespace: every name here begins with coir.

import os
import re
import struct
import time

import gdb
import gdb.unwinder

COIR_LAYOUT_VERSION = 1
COIR_MAGIC = b"coir: look here\0"

# ---- Memory ----


def coir_read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def coir_word(address):
    return struct.unpack("<Q", coir_read(address, 8))[0]


def coir_text(text):
    """Bytes of the program's as words: what would move the cursor becomes a question mark."""
    return "".join("?" if c < " " or c == "\x7f" else c for c in text.decode("utf-8", "replace"))


def coir_string(address, most=256):
    """The text at an address, as far as it can be read: it may end where the memory does."""
    text = b""
    piece = 32
    while b"\0" not in text and len(text) < most:
        try:
            text += coir_read(address + len(text), piece)
        except gdb.MemoryError:
            if piece == 1:
                break
            piece = 1
    return coir_text(text.split(b"\0")[0])


def coir_clock(stopped):
    """Now, in nanoseconds: in a core file, or far away, time stands still."""
    inferior = gdb.selected_inferior()
    kind = getattr(getattr(inferior, "connection", None), "type", "core")
    return time.monotonic_ns() if kind == "native" else stopped


def coir_duration(nanoseconds):
    """As the library says it (words.c): "1 min 40 s", "2.5 s", "30 ms"."""
    units = (("d", 86400 * 10**9), ("h", 3600 * 10**9), ("min", 60 * 10**9), ("s", 10**9),
             ("ms", 10**6), ("us", 10**3), ("ns", 1))
    at = 0
    while at < len(units) - 1 and nanoseconds < units[at][1]:
        at += 1
    unit, size = units[at]
    whole, rest = divmod(nanoseconds, size)
    if at < 3:
        return "%d %s %d %s" % (whole, unit, rest // units[at + 1][1], units[at + 1][0])
    return "%d.%d %s" % (whole, rest * 10 // size, unit) if whole < 10 and size > 1 \
        else "%d %s" % (whole, unit)


class CoirObject:
    """A struct of the library, read in one piece. The table tells where its fields are."""

    def __init__(self, layout, kind, address):
        self.layout, self.kind, self.address = layout, kind, address
        self.bytes = coir_read(address, layout[kind + ".size"])

    def place(self, field):
        return self.layout[self.kind + "." + field]

    def word(self, field):
        return struct.unpack_from("<Q", self.bytes, self.place(field))[0]

    def number(self, field):
        return struct.unpack_from("<q", self.bytes, self.place(field))[0]

    def flag(self, field):
        return self.bytes[self.place(field)] != 0

    def inner(self, field):
        return self.address + self.place(field)


# ---- The table ----


class CoirLayout(dict):
    """Its entries by name. `first` and `head` are of its list of runtimes."""

    HEAD = struct.Struct("<16sQQQQQ")
    ENTRY = struct.Struct("<24sQ")

    def __init__(self, address):
        head = self.HEAD.unpack(coir_read(address, self.HEAD.size))
        magic, itself, version, self.first, _, self.fresh = head
        if magic != COIR_MAGIC or itself != address:
            raise ValueError("a copy")
        self.address = address
        self.head = address + self.HEAD.size - 3 * 8
        self.frame, self.waits = {}, {}
        self.read_entries(address + self.HEAD.size)
        if version != COIR_LAYOUT_VERSION:
            raise gdb.GdbError(
                "This program's Coir, %d.%d.%d, lays out its memory in another way (%d) than these "
                "commands know (%d): load the gdb.py of that release."
                % (self["release.major"], self["release.minor"], self["release.patch"],
                   version, COIR_LAYOUT_VERSION))

    def read_entries(self, place):
        while True:
            name, value = self.ENTRY.unpack(coir_read(place, self.ENTRY.size))
            if name[0] == 0:
                return
            self.enter(name.rstrip(b"\0").decode(), value)
            place += self.ENTRY.size

    def enter(self, name, value):
        self[name] = value
        kind, _, rest = name.partition(".")
        if kind == "frame" and rest != "size":
            self.frame[rest] = value  # register -> where in the frame it is saved
        elif kind == "what":
            self.waits[value] = rest  # address of the words -> kind of wait

    def __missing__(self, name):
        raise gdb.GdbError("This program's Coir does not tell where to find %s: load the gdb.py of "
                           "its release." % name)


def coir_sections(wanted):
    sections = re.findall(r"^\s*0x(\w+) - 0x(\w+) is (\S+)",
                          gdb.execute("info files", to_string=True), re.M)
    for low, high, name in sections:
        if re.match(wanted, name):
            yield int(low, 16), int(high, 16)


def coir_search(sections):
    """The addresses of what looks like a table."""
    for low, high in coir_sections(sections):
        while low < high:
            try:
                found = gdb.selected_inferior().search_memory(low, high - low, COIR_MAGIC)
            except gdb.error:  # the core file does not have it
                break
            if found is None:
                break
            yield found
            low = found + len(COIR_MAGIC)


coir_tables = {}  # number of the inferior -> where its tables were when last looked for


def coir_layouts():
    """One for each copy of the library in the program: mostly one."""
    inferior = gdb.selected_inferior()
    if inferior.pid == 0:
        raise gdb.GdbError("There is no process and no core file to look into.")
    # Where a table should be; then, of a core file without its program, all there is.
    for search in (lambda: coir_tables.get(inferior.num, ()), lambda: coir_search(r"\.data$"),
                   lambda: coir_search(r"load\d+$")):
        found = {}
        for address in search():
            try:
                found[address] = CoirLayout(address)
            except (ValueError, gdb.MemoryError):
                pass
        coir_tables[inferior.num] = list(found)
        if found:
            return found.values()
    raise gdb.GdbError("There is no Coir in this program.")


# ---- Runtimes, scopes, tasks ----


class CoirMissing:
    """Stands where memory that was to be shown is not there."""

    def __init__(self, runtime, address):
        self.address = address

    def describe(self):
        return ("(what should be at %#x is not there: destroyed, or left out of the core file, as "
                "gdb before 17 leaves out stacks with guards. `coir gcore` does not.)"
                % self.address)

    def inside(self):
        return ()


class CoirRuntime(CoirObject):
    def __init__(self, layout, address, index):
        super().__init__(layout, "runtime", address)
        self.index = index  # among those of the process, from 1
        self.thread = self.number("thread")
        self.functions, self.words, self.scopes = {}, {}, {}
        self.now = self.number("virtual_now") or coir_clock(self.number("turn_began"))

    def until(self, time):
        if time == 2**63 - 1:
            return "for ever"
        left = time - self.now
        return "until %s from now" % coir_duration(left) if left > 0 else "until now"

    def since(self, time):
        return coir_duration(self.now - time) if self.now > time else ""

    def function(self, address):
        if address not in self.functions:
            text = gdb.execute("info symbol %#x" % address, to_string=True)
            known = " in section " in text
            self.functions[address] = text.split(" in section ")[0] if known else "%#x" % address
        return self.functions[address]

    def string(self, address):
        """A text that does not change, and that many tasks have in common."""
        if address not in self.words:
            self.words[address] = coir_string(address)
        return self.words[address]

    def scope_label(self, address):
        if address not in self.scopes:
            self.scopes[address] = CoirScope(self, address).label
        return self.scopes[address]

    def tree(self):
        """Yields (depth, scope or task), outer ones first. They nest without bound: no recursion."""
        left = [(0, CoirScope, self.inner("root"))]
        while left:
            depth, kind, address = left.pop()
            try:
                found = kind(self, address)
            except gdb.MemoryError:
                found = CoirMissing(self, address)
            yield depth, found
            left.extend((depth + 1, *place) for place in reversed(list(found.inside())))

    def tasks(self):
        return (found for _, found in self.tree() if isinstance(found, CoirTask))

    def describe(self):
        return "runtime %d, thread %d:" % (self.index, self.thread)


class CoirScope(CoirObject):
    def __init__(self, runtime, address):
        super().__init__(runtime.layout, "scope", address)
        self.live = self.word("live")

    @property
    def label(self):
        name = self.word("name")
        return "scope '%s'" % coir_string(name) if name else "scope %#x" % self.address

    def describe(self):
        return "%s: %d %s%s%s" % (self.label, self.live, "task" if self.live == 1 else "tasks",
                                  ", cancelled" if self.flag("cancelled") else "",
                                  ", shielded" if self.flag("shield") else "")

    def inside(self):
        head, link = self.inner("children"), self.word("children")
        for _ in range(self.live):
            if link == head:
                break
            yield CoirTask, link - self.layout["task.sibling"]
            try:
                link = coir_word(link)
            except gdb.MemoryError:
                break  # which the task itself tells
        if self.word("inner"):
            yield CoirScope, self.word("inner")


class CoirTask(CoirObject):
    def __init__(self, runtime, address):
        super().__init__(runtime.layout, "task", address)
        self.runtime = runtime
        if not self.word("record"):  # zeros, where the core file has a hole
            raise gdb.MemoryError
        serial = coir_word(self.word("record") + self.layout["record.generation"])
        self.serial = serial & ((1 << self.layout["record.number_bits"]) - 1)
        self.running = address == runtime.word("current")

    @property
    def name(self):
        name = self.bytes[self.place("name"):][:self.layout["task.name_size"]].split(b"\0")[0]
        return coir_text(name) or self.runtime.function(self.word("fn"))

    @property
    def id(self):
        return "%d.%d" % (self.runtime.index, self.serial)

    def inside(self):
        if self.word("outermost"):
            yield CoirScope, self.word("outermost")

    def registers(self):
        """Of the frame it will go on in, with "pc" and "sp" for whatever they are called."""
        sp = self.word("sp")
        frame = coir_read(sp, self.layout["frame.size"])
        saved = {name: struct.unpack_from("<Q", frame, place)[0]
                 for name, place in self.layout.frame.items()}
        saved["sp"] = sp + len(frame)
        if "rip" in saved:
            saved["pc"] = saved.pop("rip")
        else:
            saved["pc"] = saved["x30"] & 0xFFFFFFFFFFFF  # without its signature
        return saved

    def stack(self):
        """The words of its stack, innermost first; none of one that is very deep, or not there."""
        sp = self.word("sp")
        size = self.word("stack") + self.word("stack_size") - sp
        if self.running or not 0 < size <= 2**20:
            return ()
        try:
            return struct.unpack("<%dQ" % (size // 8), coir_read(sp, size // 8 * 8))
        except gdb.MemoryError:
            return ()

    @property
    def fresh(self):
        return not self.running and self.registers()["pc"] == self.layout.fresh

    @property
    def state(self):
        if self.running:
            text = "running"
        elif self.word("wait"):
            text = self.wait_state()
        else:
            text = "ready, not begun" if self.fresh else "ready"
        return text + (", cancelled" if self.word("due") == self.layout["task.due_cut"] else "")

    def wait_state(self):
        try:
            wait = CoirObject(self.layout, "waiter", self.word("wait"))
            words = self.wait_text(wait)
        except gdb.MemoryError:
            return "waits"
        text = "sleeps" + words[len("sleep"):] if words.startswith("sleep") else "waits for " + words
        waited = self.runtime.since(wait.number("since"))
        return text + (", for " + waited if waited else "")

    def wait_text(self, wait):
        """As the library says it (wait.c), as far as can be known from outside."""
        layout, object = self.layout, wait.word("object")
        what = self.runtime.string(wait.word("what")) if wait.word("what") else "something"
        kind = layout.waits.get(wait.word("what"))

        def there(field):
            return coir_word(object + layout[field])

        def held(verb, place):
            owner = coir_word(place)  # 1: it has ended
            return " %s by %s" % (verb, CoirTask(self.runtime, owner).label) if owner > 1 else ""

        if kind in ("close", "start", "next"):
            return what[:-len("scope")] + self.runtime.scope_label(object)
        if kind == "join":
            return "join of " + CoirTask(self.runtime, object).label
        if kind == "sleep":
            return "sleep " + self.runtime.until(wait.number("number"))
        if kind in ("ends", "select"):
            return "%s, %d of them" % (what, wait.number("number"))
        if kind == "offload":
            return "%s of '%s'" % (what, self.runtime.function(object))
        if kind == "lookup":
            return "look-up of '%s'" % coir_string(object)
        if wait.flag("numbered"):
            return "%s %d" % (what, wait.number("number"))
        text = "%s %#x" % (what, object) if object else what
        if kind == "mutex":
            return text + held("held", object + layout["mutex.owner"])
        if kind in ("read", "write"):
            return text + held("held", object + layout["rwlock.owner"])
        if kind == "once":
            return text + held("run", object + layout["once.runner"])
        if kind == "condition":
            lock = coir_word(wait.address + layout["sleeper.lock"])
            return text + " of mutex %#x" % lock + held("held", lock + layout["mutex.owner"])
        if kind in ("send", "receive"):
            return text + " (%d of %d items)" % (there("channel.count"), there("channel.capacity"))
        if kind == "items":
            return text + " (%d are not)" % (there("channel.sent") - there("channel.finished"))
        if kind == "limiter":
            return text + " (%d of %d permits held)" % (there("limiter.held"),
                                                        there("limiter.limit"))
        return text

    @property
    def label(self):
        return "task %d '%s'" % (self.serial, self.name)

    def describe(self):
        return "%s: %s" % (self.label, self.state)


def coir_runtimes():
    result = []
    for layout in coir_layouts():
        link = layout.first
        while link != layout.head:
            result.append(CoirRuntime(layout, link - layout["runtime.listed"], len(result) + 1))
            link = coir_word(link)
    if not result:
        raise gdb.GdbError("No Coir runtime runs here: no thread is inside coir_run.")
    return result


def coir_task(text):
    """By number, "runtime.number", address or name."""
    found = [task for runtime in coir_runtimes() for task in runtime.tasks()
             if text in (str(task.serial), task.id, "%#x" % task.address, task.name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise gdb.GdbError("There is no task %s: `coir ps` lists them." % text)
    raise gdb.GdbError("Several tasks go by %s; choose by number: %s%s"
                       % (text, ", ".join(task.id for task in found[:10]),
                          ", ..." if len(found) > 10 else ""))


# ---- A task that does not run, presented to gdb ----


class CoirFrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class CoirUnwinder(gdb.unwinder.Unwinder):
    """Says that the innermost frame of the thread was called by the task."""

    PC_AND_SP = {"i386:x86-64": ("rip", "rsp"), "aarch64": ("pc", "sp")}

    def __init__(self):
        super().__init__("coir")
        self.kinds = {}  # register -> its type
        self.end()

    def begin(self, task):
        self.end()
        innermost = gdb.newest_frame()
        self.at = innermost.pc(), int(innermost.read_register("sp"))
        self.registers = task.registers()
        self.task = task
        self.enabled = True
        gdb.invalidate_cached_frames()

    def end(self):
        self.task = None
        self.enabled = False
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if (int(pending.read_register("pc")), int(pending.read_register("sp"))) != self.at:
            return None
        # A caller's frame lies above: so this one has to lie below the task's, wherever it is.
        place = gdb.Value(self.registers["sp"] - 16)
        info = pending.create_unwind_info(CoirFrameId(place, gdb.Value(self.at[0])))
        pc, sp = self.PC_AND_SP[pending.architecture().name()]
        for name, value in self.registers.items():
            register = {"pc": pc, "sp": sp}.get(name, name)
            if name[0] == "d":  # whose type is none a number can be cast to
                continue
            if register not in self.kinds:
                self.kinds[register] = pending.read_register(register).type
            info.add_saved_register(register, gdb.Value(value).cast(self.kinds[register]))
        return info


class CoirFilter:
    """Has `bt` leave out the frame that is the thread's and not the task's."""

    name, priority, enabled = "coir", 1000, True

    def filter(self, frames):
        if coir_unwinder.task is None:
            return frames
        return (frame for frame in frames if frame.inferior_frame().level() > 0)


if "coir_unwinder" in globals():
    coir_unwinder.end()  # loaded once more
coir_unwinder = CoirUnwinder()
gdb.unwinder.register_unwinder(None, coir_unwinder, replace=True)
gdb.frame_filters["coir"] = CoirFilter()
gdb.events.cont.connect(lambda event: coir_unwinder.end() if coir_unwinder.task else None)


def coir_enter(task):
    """Selects the task: gdb's commands are about its frames from now on."""
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == task.runtime.thread:
            thread.switch()
    coir_unwinder.end()
    if not task.running:
        coir_unwinder.begin(task)
        gdb.newest_frame().older().select()


class CoirVisit:
    """Selects tasks for a while, and then what was selected before."""

    def __enter__(self):
        self.task, self.thread = coir_unwinder.task, gdb.selected_thread()
        self.level = gdb.selected_frame().level()

    def __exit__(self, *_):
        coir_unwinder.end()
        self.thread.switch()
        if self.task is not None:
            coir_enter(self.task)
        frame = gdb.newest_frame()
        while frame.level() < self.level:
            frame = frame.older()
        frame.select()


# ---- Commands ----


class Coir(gdb.Command):
    """Looks at the scopes and tasks of a program that uses Coir.

coir ps          a line for each task: number, name, what it does, its scope
coir tree        scopes and tasks as they nest
coir bt TASK     the backtrace of a task, by number, name or address
coir bt all      of all tasks, equal ones once
coir bt          of the task that is selected, or else of those that run
coir task TASK   selects a task: bt, up, frame N, info locals are about it from then on
coir thread      back to what the thread really does
coir gcore FILE  writes a core file, with the stacks of the tasks
coir help        this text

Where several threads have a runtime, a task is chosen by RUNTIME.NUMBER."""

    def __init__(self):
        super().__init__("coir", gdb.COMMAND_STACK, gdb.COMPLETE_COMMAND, True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError('There is no command "coir %s": see `coir help`.' % argument)
        gdb.write(self.__doc__ + "\n")


class CoirCommand(gdb.Command):
    def __init__(self, name):
        super().__init__("coir " + name, gdb.COMMAND_STACK, gdb.COMPLETE_NONE)
        self.dont_repeat()


class CoirHelp(CoirCommand):
    """Tells what commands there are."""

    def invoke(self, argument, from_tty):
        gdb.write(Coir.__doc__ + "\n")


class CoirPs(CoirCommand):
    """Lists all tasks, a line for each. A star marks the one that runs."""

    WIDEST = 72

    def invoke(self, argument, from_tty):
        runtimes = coir_runtimes()
        for runtime in runtimes:
            if len(runtimes) > 1:
                gdb.write(runtime.describe() + "\n")
            self.list(runtime)

    def list(self, runtime):
        rows, missing = [("", "Id", "Task", "State", "In")], []
        for _, found in runtime.tree():
            if isinstance(found, CoirTask):
                rows.append(("*" if found.running else "", str(found.serial), "'%s'" % found.name,
                             found.state, runtime.scope_label(found.word("home"))))
            elif isinstance(found, CoirMissing):
                missing.append(found)
        widths = [min(max(map(len, column)), self.WIDEST) for column in zip(*rows)]
        for mark, number, name, state, scope in rows:
            gdb.write("%1s %*s  %-*s  %-*s  %s\n" % (mark, widths[1], number, widths[2], name,
                                                     widths[3], state, scope))
        for found in missing:
            gdb.write(found.describe() + "\n")


class CoirTree(CoirCommand):
    """Lists scopes and tasks as they nest."""

    def invoke(self, argument, from_tty):
        for runtime in coir_runtimes():
            gdb.write(runtime.describe() + "\n")
            for depth, found in runtime.tree():
                gdb.write("%s%s\n" % ("  " * (depth + 1), found.describe()))


class CoirShapes:
    """Backtraces by what they leave in a stack. gdb takes half a millisecond for one: so it is only
    asked for the first of those tasks that have the same return addresses in the same places."""

    ADDRESS = 2**48 - 1  # of a return address, without its signature

    def __init__(self):
        self.known = {}  # depth of the stack -> [(places, what is there, backtrace)]

    def find(self, stack):
        for places, there, calls in self.known.get(len(stack), ()):
            if [stack[place] & self.ADDRESS for place in places] == there:
                return calls
        return None

    def learn(self, stack, calls):
        addresses = set(calls)
        places = [place for place, word in enumerate(stack) if word & self.ADDRESS in addresses]
        there = [stack[place] & self.ADDRESS for place in places]
        if addresses.issubset(there):
            self.known.setdefault(len(stack), []).append((places, there, calls))


class CoirBt(CoirCommand):
    """The backtrace of a task: coir bt [TASK | all]."""

    def invoke(self, argument, from_tty):
        tasks = [task for runtime in coir_runtimes() for task in runtime.tasks()]
        if argument == "all":
            groups = self.groups(tasks)
        elif argument:
            groups = [[coir_task(argument)]]
        elif coir_unwinder.task is not None:
            groups = [[coir_unwinder.task]]
        else:
            groups = [[task] for task in tasks if task.running]
            if not groups:
                raise gdb.GdbError("No task runs; `coir bt TASK` shows one that waits.")
        with CoirVisit():
            for group in groups:
                self.show(*group)

    def groups(self, tasks):
        """Of those with equal backtraces."""
        found, shapes = {}, CoirShapes()
        with CoirVisit():
            for task in tasks:
                found.setdefault(self.calls(task, shapes), []).append(task)
        return found.values()

    def calls(self, task, shapes):
        if task.fresh:
            return task.word("fn")
        stack = task.stack()
        calls = shapes.find(stack)
        if calls is None:
            calls = self.walk(task)
            shapes.learn(stack, calls)
        return calls

    def walk(self, task):
        coir_enter(task)
        pcs = []
        frame = gdb.selected_frame()
        while frame is not None:
            if frame.type() != gdb.TAILCALL_FRAME:  # which gdb concludes from those around it
                pcs.append(frame.pc())
            frame = frame.older()
        return tuple(pcs)

    def show(self, task, *others):
        gdb.write(task.describe() + "\n")
        if others:
            gdb.write("and %d %s as this one\n"
                      % (len(others), "task" if len(others) == 1 else "tasks"))
        if task.fresh:
            gdb.write("#1  it will begin with %s\n" % task.runtime.function(task.word("fn")))
        else:
            coir_enter(task)
            gdb.execute("bt")
        origin = task.word("origin")
        if origin:
            gdb.write("spawned by %s\n" % self.place(task.runtime, origin - 1))

    def place(self, runtime, pc):
        line = gdb.find_pc_line(pc)
        if line.symtab is None:
            return runtime.function(pc)
        function = runtime.function(pc).split(" + ")[0]
        return "%s at %s:%d" % (function, line.symtab.filename, line.line)


class CoirSelect(CoirCommand):
    """Selects a task, for bt, up, frame and the like: coir task TASK."""

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("Which task? `coir task TASK` takes a number, name or address.")
        task = coir_task(argument)
        coir_enter(task)
        gdb.write(task.describe() + "\n")
        gdb.execute("frame")


class CoirThread(CoirCommand):
    """Goes back to what the thread really does, after coir task."""

    def invoke(self, argument, from_tty):
        coir_unwinder.end()
        gdb.execute("frame")


class CoirGcore(CoirCommand):
    """Writes a core file of the process: coir gcore [FILE].

As generate-core-file does, but with the stacks of the tasks: gdb before 17 gives a mapping up at
the first page that cannot be read, which in a stack's guard is so."""

    PAGE = os.sysconf("SC_PAGE_SIZE")
    PIECE = 4096  # entries of the page map read at once
    HAS_CONTENTS = 3 << 62  # bits of an entry: in memory, or swapped out

    def invoke(self, argument, from_tty):
        inferior = gdb.selected_inferior()
        if getattr(getattr(inferior, "connection", None), "type", "core") != "native":
            raise gdb.GdbError("coir gcore is for a process that runs on this machine.")
        path = argument or "core.%d" % inferior.pid
        gdb.execute("generate-core-file " + path, to_string=True)
        with open(path, "r+b") as core, \
                open("/proc/%d/mem" % inferior.pid, "rb", buffering=0) as memory, \
                open("/proc/%d/pagemap" % inferior.pid, "rb", buffering=0) as pagemap:
            for place, offset, size in self.segments(core):
                for low, high in self.touched(pagemap, place, place + size):
                    self.copy(core, memory, low, high, offset - place)
        gdb.write("Saved corefile %s, with all stacks\n" % path)

    def segments(self, core):
        core.seek(0x20)
        (headers,) = struct.unpack("<Q", core.read(8))
        core.seek(0x36)
        size, count = struct.unpack("<HH", core.read(4))
        for i in range(count):
            core.seek(headers + i * size)
            kind, _, offset, place, _, in_file = struct.unpack("<IIQQQQ", core.read(40))
            if kind == 1:  # PT_LOAD
                yield place, offset, in_file

    def touched(self, pagemap, low, high):
        """Where there are pages: all others are zeros, as in the file."""
        begin = None
        for piece in range(low, high, self.PIECE * self.PAGE):
            count = min(self.PIECE, (high - piece + self.PAGE - 1) // self.PAGE)
            entries = os.pread(pagemap.fileno(), 8 * count, piece // self.PAGE * 8)
            for i, (entry,) in enumerate(struct.iter_unpack("<Q", entries)):
                if entry & self.HAS_CONTENTS:
                    begin = piece + i * self.PAGE if begin is None else begin
                elif begin is not None:
                    yield begin, piece + i * self.PAGE
                    begin = None
        if begin is not None:
            yield begin, high

    def copy(self, core, memory, low, high, shift):
        while low < high:
            try:
                data = os.pread(memory.fileno(), high - low, low)
            except OSError:  # a guard, which older page maps take for a page; a device's
                data = b""
            core.seek(low + shift)
            core.write(data)
            low += len(data) or self.PAGE


Coir()
CoirGcore("gcore")
CoirHelp("help")
CoirPs("ps")
CoirTree("tree")
CoirBt("bt")
CoirSelect("task")
CoirThread("thread")
