#!/bin/sh
# Runs the benchmark: sh bench/run.sh BUILD_DIR/bench
#
# A subject of a measure is a program MEASURE-SUBJECT in that folder. Those of bench/ are there
# already; those of bench/peers/ are built here, each where its library or compiler is installed.
# For each measure and case the subjects take turns, one process a figure, so that a slow stretch of
# the machine hits all of them alike. Every figure goes to results.tsv in the folder, of which
# report.py makes a table, results.json and index.html. A program that exits with 77 cannot run here
# and has said why; any other failure fails the run at its end.
#
# All measures have their first round, then share what is left of their time; so the run ends on
# time on a slower machine too, with fewer rounds. An interrupt leaves nothing running.
#
# Environment: MEASURE="switch yield" (only those), ROUNDS=9 (so many, however long they take),
# QUICK=1 (a minute: less time each, and not the cases that take long), CC, CXX, CFLAGS, BENCH_CPU
# and BENCH_CPU_LOAD (which the subjects and the load run on).
set -u

here=$(dirname "$0")
dir=${1:?usage: run.sh BUILD_DIR/bench}
CC=${CC:-cc}
CXX=${CXX:-c++}
CFLAGS=${CFLAGS:--O2 -g}
results=$dir/results.tsv
notes=$dir/notes
cache=$(cd "$dir" && pwd)/go-cache
rounds_max=9
slow=200 # hundredths of a second: a program that takes longer for a case runs in one round only
cpu_max=4 # seconds of CPU time that another subject may take for a case, if Coir takes no half of it
hangs=100 # seconds after which a program is ended
failed=0

# Measure, seconds it may take, cases. All seconds together are those of the run.
plan() {
    cat <<END
switch    7 chain callers loops chain-fp callers-fp loops-fp
yield    32 2 2-mixed 10 100 100-mixed 1000 1000-mixed 10000 100000 100000-mixed
spawn    14 1 100 100000
handle    2 1 100
deadline 13 none 0 1000 1000000 clock
channel   9 pingpong-0 pingpong-1 stream-1 stream-64
select    2 4 4-senders
mutex     8 mutex mutex-handed semaphore semaphore-handed
gather    5 10 1000
cancel    4 10000
sleep    42 100000
park     42 10000 100000 1000000 1000-grown
growth   16 100 1000 10000 100000 1000000
echo     48 1 64 1000 10000
http     14 64 1000
END
}

quick_plan() {
    cat <<END
switch    3 chain callers loops
yield     6 2 1000-mixed
spawn     4 1 100
deadline  3 0 1000
channel   4 pingpong-0 stream-64
mutex     3 mutex mutex-handed
gather    3 1000
cancel    3 10000
park      2 10000
growth    1 100 10000
echo      9 64
http      6 64
END
}

note() {
    echo "$*" >>"$notes"
}

# Whether this run takes a measure.
wanted() {
    case " ${MEASURE:-$planned} " in *" $1 "*) return 0 ;; esac
    return 1
}

is_number() { # of one or more
    case $1 in
    *[!0-9]*) return 1 ;;
    *[1-9]*) return 0 ;;
    esac
    return 1
}

# All of MEASURE must be in the plan, and ROUNDS a number.
check_wishes() {
    if ! is_number "${ROUNDS:-1}"; then
        echo "bench: ROUNDS=$ROUNDS: it is a number of rounds, 1 or more" >&2
        exit 2
    fi
    for name in ${MEASURE:-}; do
        case " $planned " in
        *" $name "*) ;;
        *)
            echo "bench: there is no measure \"$name\"${QUICK:+ in the quick run}; there are:" \
                "$planned" >&2
            exit 2
            ;;
        esac
    done
}

# Whether a list of CPUs, such as 0-3,8, has this one.
has_cpu() { # list, number
    echo "$1" | tr ',' '\n' | awk -F - -v cpu="$2" '
        cpu ~ /^[0-9]+$/ && cpu + 0 >= $1 && cpu + 0 <= $NF { found = 1 }
        END { exit !found }'
}

# Hundredths of a second on a clock that runs on.
now() {
    read -r uptime _ </proc/uptime
    echo $((${uptime%.*} * 100 + 1${uptime#*.} - 100))
}

# ---- Before the run ----

# Whether a program is older than what it is made of.
outdated() { # program, sources
    [ -f "$1" ] || return 0
    program=$1
    shift
    [ -n "$(find "$@" "$here"/lib/* "$here"/peers/*.h -newer "$program" 2>/dev/null)" ]
}

# Compiles one program, in a shell of its own that can be ended with it; says so where that cannot be.
build_peer() { # program, needs, command...
    program=$1 needs=$2
    shift 2
    rm -f "$program"
    timeout "$hangs" "$@" 2>"$program.log" &
    compiler=$!
    trap 'kill "$compiler"; wait; rm -f "$program" "$program.log"; exit 1' TERM
    if wait "$compiler"; then
        echo "${program##*/}" >>"$dir/built"
    else
        printf '%s\t%s\t%s\n' "${program##*/}" "$needs" \
            "$({ grep -m 1 -i 'error' "$program.log" || tail -n 1 "$program.log"; } |
                sed 's/.*error: //')" >>"$dir/unbuilt"
    fi
    rm -f "$program.log"
}

# Those that lack the same thing, in one line.
note_unbuilt() {
    sort "$dir/unbuilt" | awk -F '\t' '
        { names[$2 FS $3] = names[$2 FS $3] " " $1 }
        END {
            for (key in names) {
                split(key, part, FS)
                print "not measured:" names[key] ": no build here" \
                    (part[1] == "" ? "" : " (needs " part[1] ")") ": " part[2]
            }
        }' | sort >>"$notes"
}

# Runs a command in the background, as many at a time as there are processors.
in_parallel() {
    "$@" &
    running="$running $!"
    jobs=$((jobs + 1))
    [ $((jobs % processors)) -ne 0 ] || {
        wait
        running=
    }
}

libraries_of() {
    sed -n 's/.*Link with: *//p' "$1"
}

# The peers of one measure each.
build_single_peers() {
    flags="-D_GNU_SOURCE -fno-omit-frame-pointer -pthread $CFLAGS"
    for source in "$here"/peers/*-*.*; do
        name=${source##*/}
        program=$dir/${name%.*}
        wanted "${name%%-*}" && outdated "$program" "$source" || continue
        libraries=$(libraries_of "$source")
        # shellcheck disable=SC2086 # flags are words
        case $name in
        *.c)
            in_parallel build_peer "$program" "$libraries" \
                $CC -std=gnu11 $flags -o "$program" "$source" "$dir/bench.o" $libraries
            ;;
        *.cpp)
            in_parallel build_peer "$program" "$libraries" \
                $CXX $flags -o "$program" "$source" "$dir/bench.o" $libraries
            ;;
        *.go)
            in_parallel build_peer "$program" go env GOCACHE="${GOCACHE:-$cache}" \
                go build -o "$program" "$source" "$here/peers/bench.go"
            ;;
        esac
    done
}

# The measures of shapes/, once for each library of tasks; those it names, if it names some.
build_shapes() {
    for adapter in "$here"/peers/tasks/*; do
        subject=${adapter##*/}
        libraries=$(libraries_of "$adapter")
        only=$(sed -n 's/.*Measures: *//p' "$adapter")
        case $subject in
        coir.h) continue ;;
        *.h) compile="$CC -std=gnu11 -x c" ;;
        *) compile="$CXX -x c++" ;;
        esac
        for shape in "$here"/shapes/*.c; do
            measure=${shape##*/} measure=${measure%.c}
            program=$dir/$measure-${subject%.*}
            case " ${only:-$measure} " in *" $measure "*) ;; *) continue ;; esac
            wanted "$measure" && outdated "$program" "$shape" "$adapter" || continue
            # shellcheck disable=SC2086 # flags are words
            in_parallel build_peer "$program" "$libraries" \
                $compile -D_GNU_SOURCE -fno-omit-frame-pointer -pthread $CFLAGS -I"$here/.." \
                -DSUBJECT="\"bench/peers/tasks/$subject\"" -o "$program" "$shape" \
                -x none "$dir/bench.o" $libraries
        done
    done
}

# A script as a program.
write_program() { # program, its line
    printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$1"
    chmod +x "$1"
}

# Those in Python: a script as the program of each measure it knows. Debian's modules are those of
# /usr/bin/python3, which need not be the first in the path.
build_python_peers() {
    for subject in asyncio uvloop gevent; do
        python=
        for candidate in /usr/bin/python3 python3; do
            [ -n "$python" ] || ! $candidate -c "import $subject" 2>/dev/null || python=$candidate
        done
        [ -n "$python" ] || note "not measured: all of $subject: needs the module $subject"
        source=$here/peers/python/${subject}_tasks.py
        [ -f "$source" ] || source=$here/peers/python/asyncio_tasks.py
        for measure in yield spawn gather channel mutex deadline cancel sleep park echo; do
            program=$dir/$measure-$subject
            rm -f "$program"
            [ -n "$python" ] || continue
            write_program "$program" "$python -B $source $subject $measure"
        done
    done
}

# All peers of the measures that are wanted; anew, if made with other flags before.
build_peers() {
    processors=$(getconf _NPROCESSORS_ONLN)
    made_with="$CC $CXX $CFLAGS"
    [ "$(cat "$dir/made-with" 2>/dev/null)" = "$made_with" ] ||
        find "$dir" -maxdepth 1 -type f -name '*-*' ! -name '*-coir' -delete
    # shellcheck disable=SC2086 # flags are words
    $CC -std=gnu11 -D_GNU_SOURCE $CFLAGS -c -o "$dir/bench.o" "$here/lib/bench.c" || exit 1
    : >"$dir/built"
    : >"$dir/unbuilt"
    jobs=0 began=$(now)
    build_shapes
    build_single_peers
    wait
    running=
    note_unbuilt
    build_python_peers
    write_program "$dir/http-coir" "'$dir/../examples/httpd' -l 127.0.0.1:0 -g 0"
    echo "$made_with" >"$dir/made-with"
    [ ! -s "$dir/built" ] ||
        echo "built     $(wc -l <"$dir/built") programs in $((($(now) - began) / 100)) s, before the run"
}

# The subject gets the last CPU this process may use (the first often serves the interrupts), the
# load generator the first one.
choose_cpus() {
    cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
    BENCH_CPU=${BENCH_CPU:-$(echo "$cpus" | sed 's/.*[,-]//')}
    BENCH_CPU_LOAD=${BENCH_CPU_LOAD:-$(echo "$cpus" | sed 's/[,-].*//')}
    for name in BENCH_CPU BENCH_CPU_LOAD; do
        eval "cpu=\$$name"
        has_cpu "$cpus" "$cpu" || {
            echo "bench: $name=$cpu: it is the number of a CPU, one of $cpus" >&2
            exit 2
        }
    done
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
    echo "date      $(date '+%Y-%m-%d %H:%M %z')"
    echo "pinned    subjects to CPU $BENCH_CPU, load to CPU $BENCH_CPU_LOAD"
}

# ---- The run ----

# The programs of a measure, Coir's first.
programs_of() {
    for program in "$dir/$1-coir" "$dir/$1"-*; do
        [ -f "$program" ] && [ -x "$program" ] && echo "$program"
    done | awk '!seen[$0]++'
}

# Runs a command for a case; its output goes to the file of figures. By way of timeout, which ends
# what hangs and gives it a process group of its own, of which an interrupt leaves nothing.
run_limited() { # seconds of CPU time, command...
    limit=$1
    shift
    (ulimit -t "$limit" && exec timeout -k 2 "$hangs" "$@") \
        >"$dir/figures" 2>"$errors" </dev/null &
    running=$!
    wait "$running" 2>/dev/null
    status=$?
    running=
    return $status
}

# Adds the figures to the results under the given measure and subject (a line may name its own), if
# they are figures, and at least one.
take_figures() {
    awk -F '\t' -v OFS='\t' -v measure="$1" -v subject="$2" -v results="$results" '
        NF < 3 || $3 !~ /^-?[0-9]+([.][0-9]*)?(e[-+]?[0-9]+)?$/ {
            print "it printed what is no figure: " $0
            bad = 1
            exit
        }
        { lines = lines measure OFS $1 OFS $2 OFS (NF > 3 ? $4 : subject) OFS $3 "\n" }
        END {
            if (!bad && lines == "") {
                print "it printed no figure"
                bad = 1
            }
            if (!bad)
                printf "%s", lines >>results
            exit bad
        }' "$dir/figures" >>"$errors"
}

# A program that fails is not asked again for that case, nor is one that takes long. Coir comes
# first, and what it takes says how fast this machine is.
attempt() { # measure, subject, command...
    of=$1-$2 subject=$2
    case $given_up in *"|$of $case|"* | *"|$of is too slow|"*) return ;; esac
    shift 2
    began=$(now)
    case $subject in
    coir | floor | all-at-once) allowed=$hangs ;;
    *) allowed=$((coir_took / 50 > cpu_max ? coir_took / 50 : cpu_max)) ;;
    esac
    run_limited "$allowed" "$@" && take_figures "$measure" "$subject"
    status=$?
    took=$(($(now) - began))
    [ "$subject" != coir ] || coir_took=$took
    if [ $status -eq 0 ] && { [ $took -le $slow ] || [ "$subject" = all-at-once ]; }; then
        return
    fi
    given_up="$given_up|$of $case|"
    if [ $status -eq 152 ] || [ $status -eq 137 ]; then # SIGXCPU or SIGKILL, by the limit above
        note "not measured: $of: $case: killed, it takes more than $limit s of CPU time (or memory);" \
            "nor what follows"
        given_up="$given_up|$of is too slow|"
    elif [ $status -eq 77 ]; then
        note "not measured: $of: $case: $(tail -n 1 "$errors")"
    elif [ $status -eq 124 ]; then
        note "$of $case FAILED: it hangs, and was ended after $hangs s"
        failed=1
    elif [ $status -ne 0 ]; then
        note "$of $case FAILED (status $status): $(tail -n 1 "$errors")"
        failed=1
    fi
}

# Nothing may be left running: timeout passes the signal on to all that it started.
interrupted() {
    trap '' INT TERM HUP
    # shellcheck disable=SC2086 # several processes
    [ -z "$running" ] || kill $running 2>/dev/null
    wait
    echo "bench: interrupted; nothing is left running. The figures so far are in $results:" \
        "python3 $here/report.py $dir shows them" >&2
    exit 130
}

# Cases that cannot be measured for the same reason, in one line.
grouped_notes() {
    awk -F ': ' '
        $1 != "not measured" || NF < 4 { print; next }
        {
            reason = substr($0, length($1 FS $2 FS $3 FS) + 1)
            key = $2 SUBSEP reason
            if (!(key in cases))
                keys[++count] = key
            cases[key] = cases[key] " " $3
        }
        END {
            for (i = 1; i <= count; ++i) {
                split(keys[i], part, SUBSEP)
                print "not measured: " part[1] ":" cases[keys[i]] ": " part[2]
            }
        }' "$notes"
}

run_case() {
    coir_took=0
    # shellcheck disable=SC2086 # several servers
    [ "$measure" != echo ] || attempt echo all-at-once "$dir/load" "$case" $programs
    for program in $programs; do
        if [ "$measure" = echo ]; then
            # One after another where there are too few descriptors for all at once.
            case $given_up in *"|echo-all-at-once $case|"*) ;; *) return ;; esac
            attempt echo "${program##*-}" "$dir/load" "$case" "$program"
        elif [ "$measure" = http ]; then
            attempt http "${program##*-}" sh "$here/http.sh" "$dir" "$case" "$program"
        else
            attempt "$measure" "${program##*-}" "$program" "$case"
        fi
    done
}

# With few connections and with many.
count_system_calls() {
    coir_took=0
    for connections in 64 1000; do
        case " $cases " in *" $connections "*) ;; *) continue ;; esac
        case=calls-$connections
        for program in $programs; do
            attempt echo "${program##*-}" sh "$here/syscalls.sh" "$dir" "$connections" "$program"
        done
    done
}

show_progress() {
    [ ! -t 2 ] || printf '\r%-20s\r%s' '' "$*" >&2
}

# Every measure has this one. Notes what is left of its time.
first_round() { # measure, seconds, cases...
    measure=$1 left=$(($2 * 100 + $(now)))
    shift 2
    cases=$*
    programs=$(programs_of "$measure")
    show_progress "$measure 1"
    for case in $cases; do
        run_case
    done
    [ "$measure" != echo ] || [ -n "${QUICK:-}" ] || count_system_calls
    left=$((left - $(now)))
    echo "$measure $((left > 0 ? left : 0)) $cases" >>"$dir/left"
}

# Whether there is time for more. With ROUNDS there is.
time_left() {
    [ -n "${ROUNDS:-}" ] || [ "$(now)" -lt "$end" ]
}

more_rounds() { # measure, hundredths of a second, cases...
    measure=$1 end=$(($(now) + $2))
    shift 2
    cases=$*
    programs=$(programs_of "$measure")
    round=1
    while [ $round -lt "${ROUNDS:-$rounds_max}" ] && time_left; do
        round=$((round + 1))
        show_progress "$measure $round"
        for case in $cases; do
            ! time_left || run_case
        done
    done
}

# The measures that have time left share what is left in all, which is less if others took longer.
all_rounds() {
    : >"$dir/left"
    end_of_all=$(now)
    while read -r measure seconds cases; do
        wanted "$measure" && end_of_all=$((end_of_all + 100 * seconds))
    done <"$dir/plan"
    while read -r measure seconds cases; do
        # shellcheck disable=SC2086 # several cases
        wanted "$measure" && first_round "$measure" "$seconds" $cases
    done <"$dir/plan"
    wish=$(awk '{ sum += $2 } END { print sum + 0 }' "$dir/left")
    while read -r measure left cases; do
        available=$((end_of_all - $(now)))
        [ $available -gt 0 ] || available=0
        # shellcheck disable=SC2086 # several cases
        more_rounds "$measure" $((wish > 0 ? available * left / wish : 0)) $cases
        wish=$((wish - left))
    done <"$dir/left"
    show_progress ''
}

planned=$(${QUICK:+quick_}plan | awk '{ print $1 }' | xargs)
check_wishes
command -v python3 >/dev/null || {
    echo "bench: needs python3, which makes the report (make bench-deps installs it)" >&2
    exit 2
}
errors=$dir/errors
: >"$results"
: >"$notes"
choose_cpus
running= given_up=
trap interrupted INT TERM HUP
describe_machine | tee "$dir/machine"
build_peers
${QUICK:+quick_}plan >"$dir/plan"
began_run=$(now)
all_rounds
grouped_notes >"$notes.grouped"
mv "$notes.grouped" "$notes"
python3 -B "$here/report.py" "$dir" || failed=1
echo
cat "$notes"
! grep -q -e ': needs the module' -e '(needs ' -e ': needs wrk' -e ': no perf' "$notes" ||
    echo "make bench-deps installs what is missing, where it can"
echo "measured for $((($(now) - began_run) / 100)) s; the page: $dir/index.html"
exit $failed
