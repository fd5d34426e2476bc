#!/bin/sh
# System calls per echo request: sh bench/syscalls.sh BUILD_DIR/bench CONNECTIONS SERVER
#
# Counts with perf's tracepoints, at full speed: a tracer such as strace slows the server until the
# reads that find nothing vanish. A short and a long life of the server are compared, so that what
# it does once (to start, to accept) drops out. Prints figures as the programs of bench/ do: all
# calls together, then those made more than once in a thousand requests. Exits with 77 and the
# reason where perf is missing or not permitted.
set -u

dir=$1 connections=$2 server=$3

permitted() {
    perf stat -x , -e "$1" -o "$dir/syscalls" true >/dev/null 2>&1
}

if ! permitted raw_syscalls:sys_enter; then
    echo "system calls are not counted: no perf, or tracepoints are not permitted" >&2
    exit 77
fi

# Each event costs a while to take down, hence not all three hundred; the rest shows as "other", and
# so do all where the kernel does not know one of these.
events=raw_syscalls:sys_enter
for call in read write readv writev recvfrom sendto recvmsg sendmsg accept4 close setsockopt ppoll \
    epoll_wait epoll_pwait epoll_pwait2 epoll_ctl futex timerfd_settime clock_gettime; do
    events=$events,syscalls:sys_enter_$call
done
permitted "$events" || events=raw_syscalls:sys_enter

# The number of requests answered, as a line in the form of perf's; then perf's own lines.
life() {
    requests=$("$dir/load" --count "$1" "$connections" \
        "perf stat -x , -e '$events' -o '$dir/syscalls' -- $server") || exit 1
    echo "$requests,,requests"
    grep -v '^#' "$dir/syscalls"
}

life 1 >"$dir/life-short"
life 4 >"$dir/life-long"

awk -F , -v connections="$connections" '
    function figure(name, calls) {
        printf "%s %s\tper request\t%.4f\n", connections, name, calls / more["requests"]
    }
    NF > 2 {
        sub(/.*sys_enter_/, "", $3)
        more[$3] += FNR == NR ? -$1 : $1
    }
    END {
        all = more["raw_syscalls:sys_enter"]
        if (more["requests"] <= 0 || all <= 0)
            exit 1
        figure("system calls", all)
        other = all
        for (name in more)
            if (name != "requests" && name != "raw_syscalls:sys_enter") {
                other -= more[name]
                if (more[name] > more["requests"] / 1000)
                    figure(name, more[name])
            }
        if (other > more["requests"] / 1000)
            figure("other", other)
    }' "$dir/life-short" "$dir/life-long"
