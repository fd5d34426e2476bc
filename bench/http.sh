#!/bin/sh
# HTTP under wrk: sh bench/http.sh BUILD_DIR/bench CONNECTIONS SERVER
#
# SERVER is called with the folder whose files it may serve. It says once on which port of 127.0.0.1
# it listens, and serves until it is killed. Keeps CONNECTIONS alive for a second, each with one
# request under way for a file of 64 bytes. Prints figures as the programs of bench/ do: requests a
# second, the server's CPU time a request, and the times that wrk saw. Exits with 77 and the reason
# where wrk is missing.
set -u

dir=$1 connections=$2 server=$3
warm_up=0.3 seconds=1

command -v wrk >/dev/null || {
    echo "HTTP is not measured: needs wrk" >&2
    exit 77
}

# On the CPU that a variable names, if it is set and can be.
pinned() {
    cpu=$1
    shift
    [ -z "$cpu" ] || ! command -v taskset >/dev/null || set -- taskset -c "$cpu" "$@"
    exec "$@"
}

# CPU time of all threads of the server so far, in nanoseconds.
cpu_time() {
    cat /proc/"$pid"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.0f", ns }'
}

load() { # seconds, which may be a fraction
    (pinned "${BENCH_CPU_LOAD:-}" timeout --foreground -s INT "$1" \
        wrk -t 1 -c "$connections" -d 60 --latency "http://$address/file") 2>&1
}

mkdir -p "$dir/site"
printf '%064d' 0 >"$dir/site/file"
hello=$dir/http-hello
: >"$hello"
(pinned "${BENCH_CPU:-}" "$server" "$dir/site") >"$hello" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null' EXIT
address='' tries=0
while [ -z "$address" ] && [ $tries -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
    address=$(sed -n 's/.*\(127\.0\.0\.1:[0-9]*\).*/\1/p' "$hello")
done
[ -n "$address" ] || {
    echo "$server did not say where it listens: $(cat "$hello")" >&2
    exit 1
}

load $warm_up >/dev/null
before=$(cpu_time)
load $seconds >"$dir/wrk"
after=$(cpu_time)

awk -v connections="$connections" -v cpu_ns="$((after - before))" '
    function us(text) {
        return text + 0 ? text * (text ~ /us$/ ? 1 : text ~ /ms$/ ? 1000 : 1000000) : 0
    }
    function figure(what, unit, value) {
        printf "%s %s\t%s\t%.3f\n", connections, what, unit, value
    }
    / requests in / { requests = $1 }
    /^Requests\/sec:/ { rate = $2 }
    /^ *50% / { p50 = us($2) }
    /^ *99% / { p99 = us($2) }
    /Non-2xx|Socket errors/ { print "wrk says: " $0 >"/dev/stderr"; bad = 1 }
    END {
        if (bad || requests == 0) {
            print "no request was answered" >"/dev/stderr"
            exit 1
        }
        figure("requests", "1/s", rate)
        figure("server CPU", "ns", cpu_ns / requests)
        figure("p50", "us", p50)
        figure("p99", "us", p99)
    }' "$dir/wrk"
