#!/bin/sh
# Counts the instructions of the operations that matter, and compares them with those on record:
#
#     sh tools/counts.sh BUILD_DIR/bench/count            fails if one differs by more than 2 %
#     sh tools/counts.sh BUILD_DIR/bench/count --record   makes these the ones on record
#
# callgrind counts them exactly, on a noisy machine too; so a change of the library that costs
# something cannot slip by, and one that gains something is put on record. Counts hold for one
# compiler on one architecture; with another there is nothing to compare, and the exit status is 77.
set -eu

count=$1
record=$(dirname "$0")/../bench/counts.txt
made_by="$(${CC:-cc} -dumpmachine) $(${CC:-cc} -dumpfullversion -dumpversion) ${CFLAGS:-}"
now=$(mktemp)
trap 'rm -f "$now" "$now.out"' EXIT

command -v valgrind >/dev/null || {
    echo "counts: skipped: needs valgrind"
    exit 77
}

# All instructions of a run that does it $2 times.
run() {
    valgrind --tool=callgrind --callgrind-out-file="$now.out" "$count" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Of one time; a power of two apart, so that turns of the loop fall alike.
cost() {
    few=$(run "$1" 4000)
    many=$(run "$1" 12000)
    [ -n "$few" ] && [ -n "$many" ] || {
        echo "counts: $count $1 does not run under callgrind" >&2
        exit 1
    }
    awk "BEGIN { printf \"%.1f\", ($many - $few) / 8000 }"
}

echo "$made_by" >"$now"
for what in switch yield crowd spawn spawn-100 handle scope deadline mutex handed channel echo; do
    instructions=$(cost "$what")
    printf '%-10s %s\n' "$what" "$instructions" >>"$now"
done

if [ "${2:-}" = --record ]; then
    cp "$now" "$record"
    cat "$record"
    exit
fi
if [ "$(head -n 1 "$record")" != "$made_by" ]; then
    echo "counts: skipped: those on record are of $(head -n 1 "$record"), this is $made_by"
    exit 77
fi
awk '
    FNR == 1 { next }
    NR == FNR { recorded[$1] = $2; next }
    {
        change = 100 * ($2 / recorded[$1] - 1)
        bad = change > 2 || change < -2
        failed += bad
        verdict = ""
        if (bad)
            verdict = change > 0 ? "  more than on record" : "  less: put it on record"
        printf "%-10s %8.1f %8.1f %+6.1f %%%s\n", $1, recorded[$1], $2, change, verdict
    }
    END {
        printf "counts: %d of %d differ from those on record by more than 2 %%\n", failed, FNR - 1
        exit (failed > 0)
    }' "$record" "$now"
