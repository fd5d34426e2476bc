# Coir's build, for GNU make. `make help` lists what it can do; all it makes lands in build/.
#
# Sources are found by wildcards: a new file needs no line here. Compiler, SAN, DEBUG and POLLER
# choose a variant with a folder of its own below build/, and a change of flags rebuilds that
# folder, so that objects of two kinds never meet in one program.

## make              the library, static and shared, coir-selfcheck, coir-ps if libdw is there, and on
##                   Linux the library that simulates its system
## make demo         builds and runs examples/scrape; needs make and a C compiler only
## make check        builds and runs the tests; installs what they need, if it may
##                   (FILTER='scope/*' runs some of them, JOBS=4 so many at a time)
## make check-aarch64
##                   the same for aarch64 on any machine: cross-built, run by qemu-user (needs
##                   Debian's gcc-aarch64-linux-gnu and qemu-user-static)
## make sim          runs random programs on a simulated system, one a seed, and checks the laws;
##                   (SEEDS=100000 as many, FIRST=1 from there; COIR_SIM=seed:7 that one)
## make fuzz         feeds the parsers and tests/sim what libFuzzer thinks of (clang); SECONDS=60
##                   TARGET=http only tests/fuzz/http.c
## make soak         an hour (MINUTES=60) of clients that vanish, stall, reset and come in hordes, on
##                   echo and httpd under AddressSanitizer, and of cancelled scopes: what was lost?
## make cross        builds all of it for macOS, the BSDs and musl by zig, and runs what can run
##                   (ZIG= the compiler; otherwise npm fetches it)
## make examples     the programs of examples/
## make bench        builds and runs the measurements of bench/ beside other libraries
##                   (MEASURE='switch yield' only those, ROUNDS=9 as often)
## make bench-quick  the same in a minute
## make check-bench  tests the benchmark's runner and report, without measuring anything (python3)
## make check-perf   counts instructions, and compares them with those on record
## make bench-deps   installs the other libraries
## make install      headers, libraries, their .pc files, coir-selfcheck, coir-ps; PREFIX=/usr/local
##                   LIBDIR=PREFIX/lib INCLUDEDIR=PREFIX/include BINDIR=PREFIX/bin DESTDIR=
## make uninstall    removes them again
## make deps         installs what the tests need: Criterion, libunwind
## make format       lays out the code as .clang-format says
## make lint         clang-format, clang-tidy and cppcheck, as errors
## make clean        removes what was built
##
## Each takes CC=clang, CFLAGS=-O3, LDFLAGS=, SAN=address,undefined or SAN=thread, DEBUG=1
## (assertions, no optimisation), POLLER=epoll, kqueue or poll (a file of src/poll, where the system
## has it), WERROR=1 (warnings are errors), V=1 (shows the commands).
## RUNNER=plain runs the tests without Criterion, as SAN=thread and UNDER=valgrind do by themselves;
## LIBUNWIND=no without libunwind, and those that need it. SYSROOT=folder is where a cross compiler
## finds headers and libraries.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
CFLAGS     ?= $(if $(DEBUG),-O0,-O2) -g
JOBS       := 2
FILTER     := *

VERSION := $(shell awk '/define COIR_VERSION_/ { v = v dot $$3; dot = "." } END { print v }' \
                       include/coir/base.h)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
TRIPLE  := $(shell $(CC) -dumpmachine)
ARCH    := $(patsubst arm64,aarch64,$(patsubst amd64,x86_64,$(firstword $(subst -, ,$(TRIPLE)))))
LINUX   := $(findstring linux,$(TRIPLE))
DARWIN  := $(firstword $(findstring darwin,$(TRIPLE)) $(findstring macos,$(TRIPLE)))

POLLER_DEFAULT := $(if $(LINUX),epoll,kqueue)
POLLER         ?= $(POLLER_DEFAULT)
$(if $(wildcard src/poll/$(POLLER).c),,$(error no src/poll/$(POLLER).c: POLLER is one of \
    $(basename $(notdir $(wildcard src/poll/*.c)))))

LIBKQUEUE      := $(and $(LINUX),$(filter kqueue,$(POLLER)))

# Criterion dies under ThreadSanitizer, and starts Valgrind anew for each test. There, and where
# there is no Criterion, tests/plain stands in for it.
RUNNER         ?= $(if $(UNDER)$(findstring thread,$(SAN)),plain,criterion)
WITHOUT_UNWIND := $(filter no,$(LIBUNWIND))
$(if $(filter criterion plain,$(RUNNER)),,$(error RUNNER=$(RUNNER): it is criterion or plain))

# build/ for the system's own compiler, cc, without extras; build/clang-address+undefined and the
# like for the others.
comma   := ,
space   := $() $()
VARIANT := $(filter-out cc,$(subst /,_,$(CC))) $(subst $(comma),+,$(SAN)) $(if $(DEBUG),debug) \
           $(filter-out criterion,$(RUNNER)) $(filter-out $(POLLER_DEFAULT),$(POLLER)) \
           $(if $(WITHOUT_UNWIND),no-unwind)
BUILD   := build$(addprefix /,$(subst $(space),-,$(strip $(VARIANT))))

# ---- Flags: the user's (CPPFLAGS, CFLAGS, LDFLAGS) come last; the others are always there ----

accepted = $(shell $(CC) -Werror $(1) -E -x c /dev/null >/dev/null 2>&1 && echo $(1))

# A large frame touches every page of itself, so that it cannot step over the guard below. Clang can
# do that for any system, but its driver takes the option for some only.
PROBES := $(or $(call accepted,-fstack-clash-protection),\
               $(call accepted,-Xclang -fstack-clash-protection))

# Pollers that have to be told what the others see (src/poll/poll.h). On Linux kqueue is a library.
TOLD          := $(if $(LIBKQUEUE)$(filter poll,$(POLLER)),-DCOIR_POLL_TOLD=1)
libkqueue      = $(if $(LIBKQUEUE),$(shell pkg-config $(1) libkqueue 2>/dev/null))
POLLER_CFLAGS := $(if $(LIBKQUEUE),-DCOIR_LIBKQUEUE=1 \
                     $(patsubst -I%,-isystem %,$(call libkqueue,--cflags)))
POLLER_LIBS   := $(call libkqueue,--libs)
$(if $(LIBKQUEUE),$(if $(shell printf '%s\n' \
        'void libkqueue_drain_pending_close(void);' \
        'int main(void) { libkqueue_drain_pending_close(); }' | \
        $(CC) -x c - -o /dev/null $(POLLER_LIBS) 2>/dev/null && echo found),,\
    $(error POLLER=kqueue needs libkqueue on Linux, of version 2.7 at least, by pkg-config)))

INCLUDES := -Iinclude -Isrc -I.
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wundef -Wvla \
            -Wformat=2 $(if $(WERROR),-Werror)
# Functions begin at a line of the cache: where in one a hot one happens to begin is worth up to a
# quarter of its time.
MACHINE  := -std=gnu11 -D_GNU_SOURCE -pthread -fvisibility=hidden -fno-omit-frame-pointer \
            $(PROBES) $(call accepted,-fno-tree-slp-vectorize) $(call accepted,-mno-red-zone) \
            $(call accepted,-falign-functions=64) \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(if $(DEBUG),-DCOIR_DEBUG=1) \
            $(addprefix --sysroot=,$(SYSROOT)) $(TOLD) $(POLLER_CFLAGS)
EXTRA    :=
COMPILE   = $(CC) $(MACHINE) $(WARNINGS) $(INCLUDES) $(EXTRA) $(CPPFLAGS) $(CFLAGS) \
            -MMD -MP -MF $@.d -c -o $@ $<
LINK      = $(CC) $(MACHINE) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.lo,$^) $(filter %.a,$^) \
            $(EXTRA) $(POLLER_LIBS) $(LDLIBS)

# ---- What there is ----

objects  = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))
programs = $(patsubst %.c,$(BUILD)/%,$(wildcard $(1)))

shared   = libcoir$(if $(DARWIN),$(1).dylib,.so$(1))

SOURCES  := $(filter-out src/poll/% src/sim/%,$(wildcard src/*/*.c)) src/poll/$(POLLER).c \
            $(wildcard arch/$(ARCH)/*.S)
SIMULATIONS := $(if $(LINUX),$(addprefix $(BUILD)/tests/,nth twin))
UNWIND   := $(shell grep -l '^\#include <libunwind.h>' tests/*/*.c)
TESTS    := $(filter-out tests/fatal/% tests/fuzz/% tests/plain/% tests/sanitizers/% tests/sim/% \
                         tests/soak/% \
                         tests/subjects/% $(if $(LINUX),,tests/debug/ps.c) \
                         $(if $(SIMULATIONS),,tests/simulation.c) \
                         $(if $(WITHOUT_UNWIND),$(UNWIND)), \
                $(wildcard tests/*.c tests/*/*.c)) \
            $(if $(filter plain,$(RUNNER)),tests/plain/plain.c)
CODE     := $(wildcard include/*.h include/*/*.h arch/*/*.h \
                       $(foreach d,src ps selfcheck tests examples bench, \
                           $(d)/*.[ch] $(d)/*/*.[ch] $(d)/*/*/*.[ch]))
FATAL    := $(call programs,tests/fatal/*.c)
SUBJECTS := $(filter-out %/simulated,$(call programs,tests/subjects/*.c tests/sanitizers/*.c \
                                                     tests/plain/sample.c))
SHARING  := $(BUILD)/tests/subjects/shop-shared
EXAMPLES := $(call programs,examples/*.c)
PATTERNS := $(call programs,examples/patterns/*.c)
BENCHES  := $(call programs,bench/*.c)
SHAPES   := $(filter-out $(BENCHES),$(patsubst bench/shapes/%.c,$(BUILD)/bench/%-coir,\
                                               $(wildcard bench/shapes/*.c)))
STATIC   := $(BUILD)/libcoir.a
SIM      := $(BUILD)/libcoir-sim.a
SHARED   := $(BUILD)/$(call shared,.$(VERSION))
SONAME   := $(call shared,.$(MAJOR))
SELFCHECK := $(BUILD)/coir-selfcheck
LISTER   := $(BUILD)/coir-ps
CHECK    := $(BUILD)/tests/check

$(if $(wildcard arch/$(ARCH)/switch.S),,$(error no port for $(TRIPLE) yet: see arch/README.md))

all: $(STATIC) $(if $(LINUX),$(SIM)) $(SHARED) $(SELFCHECK) $(LISTER)

# ---- The library: plain objects for the archive, .lo ones with -fPIC for the shared one ----

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	echo "  cc    $<"
	mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/obj/%.o: %.S $(BUILD)/flags
	echo "  as    $<"
	mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/obj/%.lo: %.c $(BUILD)/flags
	mkdir -p $(@D)
	$(COMPILE) -fPIC

$(BUILD)/obj/%.lo: %.S $(BUILD)/flags
	mkdir -p $(@D)
	$(COMPILE) -fPIC

# switch.S takes the script for gdb along.
$(addprefix $(BUILD)/obj/arch/$(ARCH)/switch.,o lo): src/debug/gdb.py

$(STATIC): $(call objects,$(SOURCES)) $(BUILD)/sources
	echo "  ar    $@"
	rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

# That all is defined can be asked for where the C library is linked into shared ones too, and not
# with a sanitizer, whose runtime is linked to the program alone.
ifdef DARWIN
NAMED := -Wl,-install_name,$(LIBDIR)/$(SONAME)
else
NAMED := -Wl,-soname,$(SONAME) $(if $(LINUX),$(if $(SAN),,-Wl,-z,defs))
endif
$(SHARED): private EXTRA = -shared $(NAMED)
$(SHARED): $(patsubst %.o,%.lo,$(call objects,$(SOURCES))) $(BUILD)/sources
	echo "  ld    $@"
	$(LINK)
	ln -sf $(notdir $@) $(BUILD)/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/$(call shared)

# ---- The simulated system: the same sources, with the C library's calls redirected to src/sim ----

SIM_PARTS   := $(wildcard src/sim/*.c)
SIM_SOURCES := $(filter-out src/poll/%,$(SOURCES)) src/poll/epoll.c
simulated    = $(patsubst %,$(BUILD)/obj/simulated/%.o,$(basename $(1)))

$(BUILD)/obj/simulated/src/%.o: private EXTRA = -UCOIR_POLL_TOLD -include src/sim/libc.h
$(BUILD)/obj/simulated/src/debug/%.o: private EXTRA = -include src/sim/messages.h
$(patsubst %,$(BUILD)/obj/simulated/src/debug/%.o,hooks wait): \
    private EXTRA = -include src/sim/libc.h
$(BUILD)/obj/simulated/%.o: %.c $(BUILD)/flags
	echo "  cc    $< (simulated)"
	mkdir -p $(@D)
	$(COMPILE)

$(SIM): $(call simulated,$(filter %.c,$(SIM_SOURCES))) \
        $(call objects,$(filter %.S,$(SIM_SOURCES)) $(SIM_PARTS)) $(BUILD)/sources
	echo "  ar    $@"
	rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

# One program with all of tests/sim, and one with all of each folder there.
$(BUILD)/tests/sim: $(call objects,$(wildcard tests/sim/*.c)) $(SIM) $(BUILD)/test-sources
$(BUILD)/tests/nth: $(call objects,$(wildcard tests/sim/nth/*.c)) $(SIM) $(BUILD)/test-sources
$(BUILD)/tests/twin: $(call objects,$(wildcard tests/sim/twin/*.c)) $(SIM) $(BUILD)/test-sources
$(BUILD)/tests/sim $(BUILD)/tests/nth $(BUILD)/tests/twin:
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

# Programs that see the public headers, and are linked with the simulated library instead.
SIMULATED := $(if $(LINUX),$(BUILD)/tests/subjects/simulated $(BUILD)/examples/kv-sim)
$(BUILD)/examples/kv-sim: $(call objects,$(wildcard examples/kv/*.c) examples/lib/args.c)
$(BUILD)/tests/subjects/simulated: $(call objects,tests/subjects/simulated.c)
$(SIMULATED): $(SIM)
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

# Targets for libFuzzer, which tools/fuzz.sh builds, with clang and SAN=...,fuzzer-no-link.
FUZZERS := $(call programs,tests/fuzz/*.c)
$(FUZZERS): private EXTRA = -fsanitize=fuzzer
$(BUILD)/tests/fuzz/address: $(STATIC)
$(BUILD)/tests/fuzz/http: $(call objects,examples/lib/http.c)
$(BUILD)/tests/fuzz/program: \
    $(call objects,$(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c))) $(SIM)
$(FUZZERS): $(BUILD)/%: $(BUILD)/obj/%.o
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

$(BUILD)/tests/soak: $(call objects,$(wildcard tests/soak/*.c)) $(STATIC)
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

soak:
	MAKE='$(MAKE)' CC='$(CC)' sh tools/soak.sh \
	    $(or $(SECONDS),$(shell expr $(or $(MINUTES),60) \* 60))

fuzz:
	MAKE='$(MAKE)' sh tools/fuzz.sh $(or $(SECONDS),60) $(TARGET)

sim: $(BUILD)/tests/sim
	$(if $(SEEDS),SEEDS=$(SEEDS)) $(if $(FIRST),FIRST=$(FIRST)) JOBS=$(JOBS) $<

# ---- Programs: one a file; those of examples/ and bench/ share the files of their lib/ ----

# Examples see what a user sees, the public headers; tests see their shared helpers too.
$(BUILD)/obj/examples/%.o $(BUILD)/obj/selfcheck/%.o: INCLUDES := -Iinclude
$(BUILD)/obj/tests/%.o: INCLUDES += -Itests

$(EXAMPLES): $(call objects,$(wildcard examples/lib/*.c))
$(BUILD)/examples/kv: $(call objects,$(addprefix examples/kv/,table.c node.c client.c))
$(PATTERNS): $(call objects,$(wildcard examples/patterns/lib/*.c))
$(BENCHES) $(SHAPES): $(call objects,$(wildcard bench/lib/*.c))
$(BUILD)/tests/plain/sample: $(call objects,tests/plain/plain.c)
$(EXAMPLES) $(PATTERNS) $(BENCHES) $(FATAL) $(SUBJECTS): $(BUILD)/%: $(BUILD)/obj/%.o $(STATIC)
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

# The same program with the shared library.
$(SHARING): private EXTRA = -Wl,-rpath,$(abspath $(BUILD))
$(SHARING): $(BUILD)/obj/tests/subjects/shop.o $(SHARED)
	echo "  ld    $@"
	mkdir -p $(@D)
	$(CC) $(MACHINE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(EXTRA) $(LDLIBS)

$(BUILD)/obj/selfcheck/main.o: private EXTRA = -DSELFCHECK_POLLER='"$(POLLER)"'
$(SELFCHECK): private EXTRA = -lm
$(SELFCHECK): $(call objects,$(wildcard selfcheck/*.c)) $(STATIC)
	echo "  ld    $@"
	$(LINK)

# The measures that are the same program for every library of tasks.
$(BUILD)/obj/bench/shapes/%.o: private EXTRA = -DSUBJECT='"bench/peers/tasks/coir.h"'
$(SHAPES): $(BUILD)/bench/%-coir: $(BUILD)/obj/bench/shapes/%.o $(STATIC)
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

# coir-ps is built where the libraries are that know program files and core files.
ELFUTILS := -ldw -lelf
HAS_ELFUTILS := $(if $(LINUX),$(shell \
    printf '\043include <elfutils/libdwfl.h>\nint main(void) { return dwfl_version(0) == 0; }' | \
    $(CC) $(addprefix --sysroot=,$(SYSROOT)) -x c -o /dev/null - $(LDFLAGS) $(ELFUTILS) \
        2>/dev/null && echo yes))

ifdef HAS_ELFUTILS
$(BUILD)/obj/ps/%.o: INCLUDES += -Ips
$(LISTER): private EXTRA = $(ELFUTILS)
$(LISTER): $(call objects,$(wildcard ps/*.c)) $(STATIC)
	echo "  ld    $@"
	$(LINK)
else
.PHONY: $(LISTER)
$(LISTER):
	echo "coir-ps is left out: it needs Linux and, of the elfutils, libdw (libdw-dev, elfutils-devel)"
endif

examples: $(EXAMPLES) $(PATTERNS) $(filter $(BUILD)/examples/%,$(SIMULATED))

demo: $(BUILD)/examples/scrape
	$<

benches: $(BENCHES) $(SHAPES)

bench bench-quick: benches $(BUILD)/examples/httpd
	CC='$(CC)' CFLAGS='$(CFLAGS)' $(if $(findstring quick,$@),QUICK=1) \
	    sh bench/run.sh $(BUILD)/bench

check-bench:
	python3 -B -m unittest discover -s tests/bench

check-perf: benches
	CC='$(CC)' CFLAGS='$(CFLAGS)' sh tools/counts.sh $(BUILD)/bench/count

bench-deps:
	sh tools/bench-deps.sh

# ---- Tests: one program with all of them, and one for each that must die ----

found = $(or $(shell pkg-config $(1) $(2) 2>/dev/null),$(3))
TEST_OBJECTS := $(call objects,$(TESTS))

RUNNER_FLAGS := $(if $(filter plain,$(RUNNER)),-Itests/plain,$(call found,--cflags,criterion))
RUNNER_LIBS  := $(if $(filter plain,$(RUNNER)),,$(call found,--libs,criterion,-lcriterion))
UNWIND_FLAGS := $(if $(WITHOUT_UNWIND),-DTESTS_UNWIND=0,$(call found,--cflags,libunwind))
UNWIND_LIBS  := $(if $(WITHOUT_UNWIND),,$(call found,--libs,libunwind,-lunwind))

$(TEST_OBJECTS): private EXTRA = $(RUNNER_FLAGS) $(UNWIND_FLAGS) \
                                 -DCOIR_BUILD_DIR='"$(abspath $(BUILD))"' \
                                 -DCOIR_SOURCE_DIR='"$(CURDIR)"' \
                                 -DCOIR_UBSAN=$(if $(findstring undefined,$(SAN)),1,0)
$(BUILD)/obj/tests/debug/frameless.o: MACHINE += -fomit-frame-pointer
$(BUILD)/obj/tests/fatal/step_over.o: MACHINE += $(call accepted,-fno-stack-clash-protection)
$(TEST_OBJECTS): | $(if $(WITHOUT_UNWIND),$(if $(filter criterion,$(RUNNER)),deps),deps)
$(CHECK): private EXTRA = $(RUNNER_LIBS) $(UNWIND_LIBS) -lm
$(CHECK): $(TEST_OBJECTS) $(STATIC) $(BUILD)/test-sources
	echo "  ld    $@"
	mkdir -p $(@D)
	$(LINK)

tests: all $(EXAMPLES) $(PATTERNS) $(FATAL) $(SUBJECTS) $(SHARING) $(SIMULATED) $(SIMULATIONS) $(CHECK)

check: tests
	$(if $(filter plain,$(RUNNER)),echo "  RUNNER=plain: not by Criterion but by tests/plain")
	$(if $(WITHOUT_UNWIND),echo "  LIBUNWIND=no: without the tests of $(UNWIND)")
	UNDER='$(UNDER)' RUNNER='$(RUNNER)' sh tools/check.sh $(CHECK) -j$(JOBS) --filter '$(FILTER)'

cross:
	MAKE='$(MAKE)' JOBS='$(JOBS)' sh tools/cross.sh

check-aarch64:
	MAKE='$(MAKE)' sh tools/aarch64.sh check

deps:
	CC='$(CC) $(addprefix --sysroot=,$(SYSROOT))' RUNNER='$(RUNNER)' sh tools/deps.sh

# ---- Keeping it clean ----

format:
	clang-format -i $(CODE)

# The analyzer takes a minute for a file of tests, and knows nothing of Criterion's checks. kqueue.c
# needs headers that Linux has with libkqueue only: make lint POLLER=kqueue.
# Peers of the benchmark may need libraries that are not here; and the analyzer does not know that in
# the floor's channels a stack is left and comes back.
UNTIDY = $(shell grep -l 'Link with:' bench/peers/*.c) bench/peers/channel-floor.c \
         bench/peers/select-floor.c

lint:
	clang-format --dry-run -Werror $(CODE)
	$(call tidy,$(filter-out tests/% $(UNTIDY) $(if $(LINUX),$(if $(LIBKQUEUE),,%/kqueue.c)), \
	    $(filter %.c,$(CODE))))
	$(call tidy,$(filter tests/%.c,$(CODE)),--checks=-clang-analyzer-*)
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --std=c11 \
	    --inline-suppr --suppressions-list=tools/cppcheck.txt -D_GNU_SOURCE -D__GNUC__ \
	    -D__linux__ -D__$(ARCH)__ $(INCLUDES) $(filter-out tests/%,$(filter %.c,$(CODE)))

tidy = printf '%s\n' $(1) | xargs -P $(JOBS) -I FILE clang-tidy --quiet $(2) FILE -- \
           -std=gnu11 -D_GNU_SOURCE -DCOIR_POLL_TOLD=1 -DSELFCHECK_POLLER='""' \
           -DCOIR_BUILD_DIR='""' -DCOIR_SOURCE_DIR='""' $(POLLER_CFLAGS) \
           -DSUBJECT='"bench/peers/tasks/coir.h"' $(INCLUDES) -Itests

# What was downloaded to test with (build/fetched) stays, so that no network is needed again.
clean:
	rm -rf $(filter-out build/fetched,$(wildcard $(BUILD)/*))

help:
	sed -n 's/^## \{0,1\}//p' Makefile

# ---- Installing ----

# Where gdb, if it is installed below the same PREFIX, looks when it meets the library.
GDB_SCRIPT := $(PREFIX)/share/gdb/auto-load$(LIBDIR)/$(notdir $(SHARED))-gdb.py

install: all
	install -d $(DESTDIR)$(INCLUDEDIR)/coir $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(BINDIR)
	install -m 644 include/coir.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/coir/*.h $(DESTDIR)$(INCLUDEDIR)/coir
	install -m 644 $(STATIC) $(if $(LINUX),$(SIM)) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SELFCHECK) $(if $(HAS_ELFUTILS),$(LISTER)) $(DESTDIR)$(BINDIR)
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/$(call shared)
	for name in coir $(if $(LINUX),coir-sim); do \
	    sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	        -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	        -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' \
	        $$name.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/$$name.pc || exit 1; \
	done
	install -d $(DESTDIR)$(dir $(GDB_SCRIPT))
	install -m 644 src/debug/gdb.py $(DESTDIR)$(GDB_SCRIPT)
	echo "installed below $(DESTDIR)$(PREFIX)"

uninstall:
	rm -f $(patsubst include/%,$(DESTDIR)$(INCLUDEDIR)/%,$(wildcard include/*.h include/coir/*.h)) \
	    $(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(SELFCHECK) $(LISTER)))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/coir
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(notdir $(STATIC) $(SIM) $(SHARED)) $(SONAME) \
	        $(call shared) $(addprefix pkgconfig/,coir.pc coir-sim.pc)) $(DESTDIR)$(GDB_SCRIPT)

# ---- When to rebuild: a header, the flags or the set of files changed ----

$(BUILD)/flags: WORDS = $(CC) $(TRIPLE) $(MACHINE) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/sources: WORDS = $(SOURCES) $(NAMED) $(SIM_PARTS)
$(BUILD)/test-sources: WORDS = $(TESTS) $(wildcard tests/sim/*.c tests/sim/*/*.c)
$(BUILD)/flags $(BUILD)/sources $(BUILD)/test-sources: FORCE
	mkdir -p $(@D)
	printf '%s\n' '$(WORDS)' | cmp -s - $@ || printf '%s\n' '$(WORDS)' >$@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all cross examples demo benches bench bench-quick bench-deps check-bench check-perf tests check \
        sim soak fuzz deps check-aarch64 format lint clean help install uninstall
.DELETE_ON_ERROR:
.SECONDARY:
$(V).SILENT:
