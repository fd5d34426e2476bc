#!/bin/sh
# Runs the benchmark: sh bench/run.sh BUILD_DIR/bench
#
# A subject of a measure is a program MEASURE-SUBJECT in that folder. Those of bench/ are there
# already; those of bench/peers/ are built here, each where its library or compiler is installed.
# For each measure and case the subjects take turns, one process a figure, so that a slow stretch of
# the machine hits all of them alike. Every figure goes to results.tsv in the folder, of which
# report.py makes a table, results.json and index.html. A program that exits with 77 cannot run here and has said why; any other failure
# fails the run at its end.
#
# Environment: MEASURE="switch yield" (only those), ROUNDS=9 (so many for all), QUICK=1 (fewer rounds,
# and not the cases that take long), CC, CXX, CFLAGS.
set -u

here=$(dirname "$0")
dir=${1:?usage: run.sh BUILD_DIR/bench}
CC=${CC:-cc}
CXX=${CXX:-c++}
CFLAGS=${CFLAGS:--O2 -g}
results=$dir/results.tsv
errors=$dir/errors
notes=$dir/notes
cache=$(cd "$dir" && pwd)/go-cache
failed=0

# Measure, rounds, cases; then the same for a quick run.
plan() {
    cat <<END
switch   9 chain callers loops
yield    7 2 2-mixed 100-mixed 1000 1000-mixed 100000
spawn    7 1 100 100000
handle   7 1 100
deadline 7 none 0 1000 1000000 clock
channel  7 pingpong-0 pingpong-1 stream-1 stream-64
select   7 4 4-senders
mutex    7 mutex mutex-handed semaphore semaphore-handed
gather   7 10 1000
cancel   7 10000
sleep    1 100000
park     1 10000 100000 1000000 1000-grown
echo     3 1 64 1000 10000
END
}

quick_plan() {
    cat <<END
switch   3 chain callers loops
yield    3 2 1000-mixed
spawn    3 1 100
deadline 3 0 1000
channel  3 pingpong-0 stream-64
mutex    3 mutex mutex-handed
gather   3 1000
cancel   3 10000
sleep    1 10000
park     1 10000
echo     1 64
END
}

note() {
    echo "$*" >>"$notes"
}

# Whether this run takes a measure.
wanted() {
    case " ${MEASURE:-$1} " in *" $1 "*) return 0 ;; esac
    return 1
}

# ---- Before the run ----

build_c_peer() {
    libraries=$(sed -n 's/.*Link with: *//p' "$1")
    # shellcheck disable=SC2086 # flags are words
    $CC -std=gnu11 -D_GNU_SOURCE -fno-omit-frame-pointer -pthread $CFLAGS -o "$2" "$1" \
        "$here"/lib/*.c $libraries 2>"$errors" && return
    note "not measured: ${2##*/}: it does not build here${libraries:+ (needs $libraries)}"
}

build_go_peer() {
    if ! command -v go >/dev/null; then
        note "not measured: ${2##*/}: needs go"
        return
    fi
    GOCACHE=${GOCACHE:-$cache} go build -o "$2" "$1" "$here/peers/bench.go" 2>"$errors" && return
    note "not measured: ${2##*/}: it does not build here: $(tail -n 1 "$errors")"
}

# The measures of shapes/, once for each library of tasks.
build_shapes() {
    $CC -std=gnu11 -D_GNU_SOURCE $CFLAGS -c -o "$dir/bench.o" "$here/lib/bench.c" || exit 1
    for adapter in "$here"/peers/tasks/*; do
        subject=${adapter##*/}
        libraries=$(sed -n 's/.*Link with: *//p' "$adapter")
        case $subject in
        coir.h) continue ;;
        *.h) compile="$CC -std=gnu11 -x c" ;;
        *) compile="$CXX -x c++" ;;
        esac
        for shape in "$here"/shapes/*.c; do
            measure=${shape##*/} measure=${measure%.c}
            program=$dir/$measure-${subject%.*}
            rm -f "$program"
            wanted "$measure" || continue
            # shellcheck disable=SC2086 # flags are words
            $compile -D_GNU_SOURCE -fno-omit-frame-pointer -pthread $CFLAGS -I"$here/.." \
                -DSUBJECT="\"bench/peers/tasks/$subject\"" -o "$program" "$shape" \
                -x none "$dir/bench.o" $libraries 2>"$errors" && continue
            note "not measured: $measure-${subject%.*}: it does not build here (needs $libraries)"
        done
    done
}

# Those in Python: a script as the program of each measure it knows. Debian's modules are those of
# /usr/bin/python3, which need not be the first in the path.
build_python_peers() {
    for subject in asyncio uvloop gevent; do
        python=
        for candidate in /usr/bin/python3 python3; do
            [ -n "$python" ] || ! $candidate -c "import $subject" 2>/dev/null || python=$candidate
        done
        [ -n "$python" ] || note "not measured: anything-$subject: needs the module $subject"
        source=$here/peers/python/${subject}_tasks.py
        [ -f "$source" ] || source=$here/peers/python/asyncio_tasks.py
        for measure in yield spawn gather channel mutex sleep park echo; do
            program=$dir/$measure-$subject
            rm -f "$program"
            [ -n "$python" ] && wanted "$measure" || continue
            printf '#!/bin/sh\nexec %s -B %s %s %s "$@"\n' "$python" "$source" $subject $measure \
                >"$program"
            chmod +x "$program"
        done
    done
}

# Those of the measures that are wanted.
build_peers() {
    build_shapes
    build_python_peers
    for source in "$here"/peers/*-*; do
        name=${source##*/}
        program=$dir/${name%.*}
        rm -f "$program"
        wanted "${name%%-*}" || continue
        case $name in
        *.go) build_go_peer "$source" "$program" ;;
        *.c) build_c_peer "$source" "$program" ;;
        esac
    done
}

# The subject gets the last CPU this process may use (the first often serves the interrupts), the
# load generator the first one.
choose_cpus() {
    cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
    BENCH_CPU=${BENCH_CPU:-$(echo "$cpus" | sed 's/.*[,-]//')}
    BENCH_CPU_LOAD=${BENCH_CPU_LOAD:-$(echo "$cpus" | sed 's/[,-].*//')}
    export BENCH_CPU BENCH_CPU_LOAD
    [ "$BENCH_CPU" != "$BENCH_CPU_LOAD" ] || note "one CPU only: server and load share it"
}

describe_machine() {
    governor=/sys/devices/system/cpu/cpu$BENCH_CPU/cpufreq/scaling_governor
    echo "CPU       $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)," \
        "$(getconf _NPROCESSORS_ONLN) online, load average $(cut -d ' ' -f 1 /proc/loadavg)"
    echo "governor  $(cat "$governor" 2>/dev/null || echo unknown)"
    echo "kernel    $(uname -srm)"
    echo "compiler  $($CC --version | head -n 1), $CFLAGS"
    command -v go >/dev/null && echo "go        $(go env GOVERSION)"
    echo "pinned    subjects to CPU $BENCH_CPU, load to CPU $BENCH_CPU_LOAD"
}

# ---- The run ----

# The programs of a measure, Coir's first.
programs_of() {
    for program in "$dir/$1-coir" "$dir/$1"-*; do
        [ -f "$program" ] && [ -x "$program" ] && echo "$program"
    done | awk '!seen[$0]++'
}

# Runs a command, adds its figures to the results under the given measure and subject (a line may
# name its own), and returns its status.
record() {
    measure=$1 subject=$2
    shift 2
    "$@" >"$dir/figures" 2>"$errors" || return
    awk -F '\t' -v OFS='\t' -v measure="$measure" -v subject="$subject" \
        '{ print measure, $1, $2, (NF > 3 ? $4 : subject), $3 }' "$dir/figures" >>"$results"
}

# A program that fails is not asked again for that case.
attempt() {
    case $given_up in *"|$2 $case|"*) return ;; esac
    record "$@"
    status=$?
    [ $status -ne 0 ] || return
    given_up="$given_up|$2 $case|"
    if [ $status -eq 77 ]; then
        note "not measured: $1-$2 $case: $(tail -n 1 "$errors")"
    else
        note "$1-$2 $case FAILED (status $status): $(tail -n 1 "$errors")"
        failed=1
    fi
}

run_round() {
    for case in $cases; do
        if [ "$measure" = echo ]; then
            # shellcheck disable=SC2086 # several servers
            attempt echo all "$dir/load" "$case" $programs
            continue
        fi
        for program in $programs; do
            attempt "$measure" "${program##*-}" "$program" "$case"
        done
    done
}

run_measure() {
    measure=$1 rounds=${ROUNDS:-$2}
    shift 2
    cases=$* given_up=
    programs=$(programs_of "$measure")
    round=0
    while [ $round -lt "$rounds" ]; do
        round=$((round + 1))
        [ -t 2 ] && printf '\r%s %d/%d   ' "$measure" $round "$rounds" >&2
        run_round
    done
    [ -t 2 ] && printf '\r                    \r' >&2
    [ "$measure" != echo ] || count_system_calls
}

count_system_calls() {
    for case in $cases; do
        for program in $programs; do
            attempt echo "${program##*-}" sh "$here/syscalls.sh" "$dir" "$case" "$program"
        done
    done
}

: >"$results"
: >"$notes"
build_peers
choose_cpus
describe_machine | tee "$dir/machine"
${QUICK:+quick_}plan >"$dir/plan"
while read -r measure rounds cases; do
    # shellcheck disable=SC2086 # several cases
    wanted "$measure" && run_measure "$measure" "$rounds" $cases </dev/null
done <"$dir/plan"
python3 -B "$here/report.py" "$dir" || failed=1
echo
cat "$notes"
exit $failed
