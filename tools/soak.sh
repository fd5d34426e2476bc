#!/bin/sh
# Puts clients that behave and clients that do not on examples/echo and examples/httpd, which have few
# descriptors and run under AddressSanitizer, and cancels scopes full of work beside them
# (tests/soak). At the end says what was lost: requests that were not answered, and descriptors, tasks
# and memory that the servers have more than at the beginning. Exit status 1 if anything was.
#
#   soak.sh SECONDS     MAKE and CC choose the tools; Linux
set -eu

seconds=${1:-3600}
cc=${CC:-cc}
build=build/$([ "$cc" = cc ] || echo "$cc-")address+undefined
memory_most_kb=20000 # more than after a quarter of the time: what the allocator may yet take

[ -d /proc/self/fd ] || { echo "soak: left out: there is no /proc here"; exit 77; }
${MAKE:-make} CC="$cc" SAN=address,undefined "$build/examples/echo" "$build/examples/httpd" \
    "$build/tests/soak" "$build/coir-ps"

scratch=$(mktemp -d)
servers=
trap 'for pid in $servers; do kill -KILL "$pid" 2>/dev/null || true; done; rm -rf "$scratch"' EXIT
ASAN_OPTIONS=quarantine_size_mb=4
export ASAN_OPTIONS

start() { # name, descriptors, command...: sets $pid
    name=$1
    (ulimit -n "$2"; shift 2; exec "$@") >"$scratch/$name.out" 2>"$scratch/$name.err" &
    pid=$!
    servers="$servers $pid"
}
address() { # name: where it listens
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        sed -nE 's#.* (on )?(http://)?([0-9.]+:[0-9]+)/?$#\3#p' "$scratch/$1.out" | grep . && return
        sleep 0.5
    done
    echo "soak: $1 does not say where it listens" >&2
    cat "$scratch/$1.err" >&2
    exit 1
}
descriptors() { ls "/proc/$1/fd" | wc -l; }
resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
tasks() { # none where coir-ps is not built
    [ -n "$lister" ] || return 0
    "$lister" "$1" >"$scratch/tasks"
    sed -nE '1s/.* ([0-9]+) tasks?.*/\1/p' "$scratch/tasks" | grep .
}

lister=$build/coir-ps
if [ ! -x "$lister" ]; then
    echo "soak: tasks are not counted: coir-ps needs libdw (libdw-dev), which is not here"
    lister=
fi
mkdir "$scratch/files"
"$build/tests/soak" file >"$scratch/files/big.bin"
start echo 48 "$build/examples/echo" 127.0.0.1:0
echo_pid=$pid
start httpd 128 "$build/examples/httpd" -l 127.0.0.1:0 "$scratch/files"
httpd_pid=$pid
echo_at=$(address echo)
httpd_at=$(address httpd)
for name in echo httpd; do
    eval "pid=\$${name}_pid"
    eval "${name}_fds=$(descriptors "$pid") ${name}_tasks=$(tasks "$pid") ${name}_most=0"
done

"$build/tests/soak" echo "$echo_at" "$seconds" >"$scratch/1" 2>&1 &
clients=$!
"$build/tests/soak" httpd "$httpd_at" "$seconds" >"$scratch/2" 2>&1 &
clients="$clients $!"
"$build/tests/soak" storm "$seconds" >"$scratch/3" 2>&1 &
clients="$clients $!"

# Looks at the servers while the clients are at it.
begin=$(date +%s)
quarter=
while [ $(($(date +%s) - begin)) -lt "$seconds" ]; do
    for name in echo httpd; do
        eval "pid=\$${name}_pid most=\$${name}_most"
        now=$(descriptors "$pid")
        [ "$now" -le "$most" ] || eval "${name}_most=$now"
    done
    if [ -z "$quarter" ] && [ $((4 * ($(date +%s) - begin))) -ge "$seconds" ]; then
        quarter=done
        echo_memory=$(resident "$echo_pid") httpd_memory=$(resident "$httpd_pid")
    fi
    sleep 0.2
done
lost=0
for pid in $clients; do
    wait "$pid" || lost=1
done
cat "$scratch/1" "$scratch/2" "$scratch/3"

# When its clients are gone a server has what it had before them: httpd waits 15 s for an idle one.
for name in echo httpd; do
    eval "pid=\$${name}_pid fds=\$${name}_fds tasks=\$${name}_tasks most=\$${name}_most"
    eval "memory=\$${name}_memory"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        [ "$(descriptors "$pid")" != "$fds" ] || break
        sleep 1
    done
    more_fds=$(($(descriptors "$pid") - fds))
    now=$(tasks "$pid")
    more_memory=$(($(resident "$pid") - memory))
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    echo "$name: at most $most descriptors; afterwards $more_fds more than before, ${now:-?} tasks" \
        "(${tasks:-?} before), $more_memory kB more than after a quarter; exit status $status"
    if [ $more_fds != 0 ] || [ "$now" != "$tasks" ] || [ $more_memory -gt $memory_most_kb ] ||
        [ $status != 0 ] || [ -s "$scratch/$name.err" ]; then
        lost=1
        cat "$scratch/$name.err"
    fi
done
servers=
[ "$echo_most" -ge 47 ] || { echo "echo was never out of descriptors"; lost=1; }
if [ $lost = 0 ]; then
    echo "soak: $seconds s, nothing was lost: no request, descriptor,${lister:+ task,} memory"
else
    echo "soak: $seconds s, something was lost: see above"
fi
exit $lost
