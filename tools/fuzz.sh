#!/bin/sh
# Runs the fuzzing targets of tests/fuzz side by side, each for so many seconds, from the inputs in
# tests/fuzz/corpus on; what they find on the way stays in build/fuzz/TARGET. A line for each says
# how far it came. Exit status 1 if one has found something, with the input and how to run it again;
# 77 where clang has no libFuzzer.
#
#   fuzz.sh [SECONDS [TARGET]]    MAKE chooses the tool; CLANG the compiler
set -eu

seconds=${1:-60}
targets=${2:-$(cd tests/fuzz && ls *.c | sed 's/\.c$//')}
clang=${CLANG:-clang}
build=build/$(basename "$clang")-address+undefined+fuzzer-no-link

for target in $targets; do
    [ -f "tests/fuzz/$target.c" ] || {
        echo "TARGET=$target: there is no tests/fuzz/$target.c" >&2
        exit 2
    }
done
probe=$(mktemp)
trap 'rm -f "$probe"' EXIT
if ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long s) { return d && s > 9; }' |
    "$clang" -fsanitize=fuzzer -x c -o "$probe" - 2>/dev/null; then
    echo "fuzz: left out: $clang is not here, or has no libFuzzer (Debian: libclang-rt-14-dev)"
    exit 77
fi

${MAKE:-make} CC="$clang" SAN=address,undefined,fuzzer-no-link \
    $(for target in $targets; do echo "$build/tests/fuzz/$target"; done)

start() {
    mkdir -p "build/fuzz/$1"
    # Inputs are small: what matters is their variety. A run that hangs is a finding.
    case $1 in
    http) longest=10000 ;; # longer than a head may be
    *) longest=600 ;;
    esac
    exec timeout $((seconds + 120)) "$build/tests/fuzz/$1" -max_total_time="$seconds" \
        -max_len=$longest -timeout=30 -rss_limit_mb=4096 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="build/fuzz/$1-" "build/fuzz/$1" "tests/fuzz/corpus/$1"
}

failed=0
summary=
for target in $targets; do
    mkdir -p build/fuzz
    start "$target" >"build/fuzz/$target.log" 2>&1 &
    eval "pid_$target=\$!"
done
for target in $targets; do
    log=build/fuzz/$target.log
    status=0
    eval "wait \$pid_$target" || status=$?
    if [ $status != 0 ]; then
        failed=1
        grep -aE '^(==[0-9]+==ERROR|SUMMARY|.* does not hold|.*: law|Test unit written)|runtime error|: ' \
            "$log" | tail -n 40 >&2
        echo "fuzz: $target has found something; again: $build/tests/fuzz/$target" \
            "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)" >&2
        continue
    fi
    ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    reached=$(sed -n 's/.*\(cov: [0-9]* ft: [0-9]*\).*/\1/p' "$log" | tail -n 1)
    echo "$target: $ran runs in $seconds s, nothing found; $reached"
    summary="$summary${summary:+, }$target $ran"
done
[ $failed != 0 ] || echo "fuzz: nothing found in $seconds s each; runs: $summary"
exit $failed
