#!/bin/sh
# Runs the test program, and fails also for what Criterion does not see: a leak that a sanitizer
# or Valgrind reports when a test's process ends (the test itself has passed by then), and a
# filter that matches no test. Called by `make check`.
#
#   check.sh build/tests/check [options of Criterion]
#
# UNDER=valgrind runs it under Valgrind, RUNNER=plain says that it is without Criterion.
set -u

program=$1
shift
here=$(cd "$(dirname "$program")" && pwd) || exit 1
reports=$here/reports
results=$here/check.tap
known=$here/known-leaks
schedules=$here/schedules
rm -rf "$reports" "$results" "$schedules"
mkdir -p "$reports"

# Criterion loses small things of its own, which are forgiven where it is the one that allocates:
# with two frames recorded, no leak of a test or of the library has it in its stack.
: >"$known.sanitizer"
: >"$known.valgrind"
if [ "${RUNNER:-criterion}" = criterion ]; then
    printf 'leak:libcriterion.so\nleak:criterion_handle_args\n' >"$known.sanitizer"
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}malloc_context_size=2
    printf '{\n option\n Memcheck:Leak\n ...\n fun:criterion_handle_args\n}\n' >"$known.valgrind"
fi

for tool in ASAN UBSAN TSAN; do
    eval "export ${tool}_OPTIONS=\"\${${tool}_OPTIONS:+\$${tool}_OPTIONS:}log_path=$reports/report\""
done
UBSAN_OPTIONS=$UBSAN_OPTIONS:print_stacktrace=1
# tests/arch/unwind.c unwinds in a signal handler, where libunwind allocates. The signal is that of
# a single step, so that nothing it interrupted holds a lock of the allocator.
printf 'signal:libunwind.so\n' >"$known.thread"
TSAN_OPTIONS=$TSAN_OPTIONS:suppressions=$known.thread
LSAN_OPTIONS=print_suppressions=0:suppressions=$known.sanitizer
export LSAN_OPTIONS

# Not under Valgrind: programs of the system; those that must die (tests/fatal), with memory in use;
# and coir-selfcheck, whose contexts are too close together and round as Valgrind cannot.
case ${UNDER:-} in
'') ;;
valgrind)
    set -- valgrind --quiet --error-exitcode=99 --trace-children=yes \
        '--trace-children-skip=/bin/*,/usr/*,*/tests/fatal/*,*/coir-selfcheck' \
        --leak-check=full --show-leak-kinds=definite --suppressions="$known.valgrind" \
        --log-file="$reports/report.%p" "$program" "$@"
    program=env
    ;;
*)
    echo "UNDER=$UNDER: only valgrind is known" >&2
    exit 2
    ;;
esac

said=$here/check.said
mkfifo "$said.pipe" 2>/dev/null
tee "$said" <"$said.pipe" >&2 &
"$program" "$@" --output=tap:"$results" 2>"$said.pipe"
status=$?
wait
rm -f "$said.pipe"

# Valgrind says "--1234-- WARNING: unhandled syscall" where it answers ENOSYS: that is no error.
find "$reports" -name 'report.*' -exec sed -i '/^--[0-9]*-- /d' {} +
# What tests/laws has explored: a line a scenario, the number of its schedules first.
if [ -f "$schedules" ]; then
    sort -k2 "$schedules"
    awk '{ n += $1 } END { print "laws: " NR " scenarios, " n " schedules explored" }' "$schedules"
fi

find "$reports" -type f -size 0 -exec rm {} +
if [ -n "$(ls "$reports")" ]; then
    cat "$reports"/* >&2
    echo "failed: the reports above, kept in $reports" >&2
    status=1
fi
if ! grep -v '# SKIP' "$results" 2>/dev/null | grep -Eq '^(not )?ok '; then
    echo "failed: no test was run" >&2
    status=1
fi
if ! grep -q '^\[SKIP\]' "$said"; then # Criterion says nothing of skipped tests
    sed -n '/# SKIP test was skipped$/!s/^ok - \(.*\)  # SKIP /[SKIP] \1: /p' "$results" >&2
fi
grep 'Synthesis:' "$said" >&2 # once more, so that it stands last
exit $status
