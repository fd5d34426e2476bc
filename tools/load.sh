#!/bin/sh
# Puts real clients on examples/httpd: curl fetches a large file, whole and in part, and wrk keeps
# many connections busy; then SIGTERM ends the server in the middle of such a load. No request may
# fail before the signal, and the server has to exit with 0 within its grace period.
#
#   load.sh [build directory [connections [seconds]]]     needs curl and wrk
set -eu

build=${1:-build}
connections=${2:-1000}
seconds=${3:-5}
grace=3

scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$scratch"' EXIT

fail() {
    echo "$*" >&2
    cat "$scratch/said" "$scratch/wrk" >&2 2>/dev/null
    exit 1
}
load() { # seconds
    wrk -t2 -c"$connections" -d"$1" "${url}small.txt"
}

mkdir "$scratch/files"
: >"$scratch/said"
head -c 100000000 /dev/urandom >"$scratch/files/large.bin"
echo "a small file" >"$scratch/files/small.txt"
"$build/examples/httpd" -l 127.0.0.1:0 -g $grace "$scratch/files" >"$scratch/said" 2>&1 &
server=$!
url=
for _ in 1 2 3 4 5 6 7 8 9 10; do
    url=$(sed -n 's/.* on \(http[^ ]*\)$/\1/p' "$scratch/said")
    [ -z "$url" ] || break
    sleep 0.5
done
[ -n "$url" ] || fail "httpd does not say where it listens"

fetch() { # file, options of curl
    out=$1
    shift
    curl -q -sS -f --noproxy '*' -o "$scratch/$out" "$@" "${url}large.bin"
}
fetch whole
cmp "$scratch/whole" "$scratch/files/large.bin" || fail "the large file came out different"
fetch part -r 12345678-87654321
tail -c +12345679 "$scratch/files/large.bin" | head -c 75308644 | cmp - "$scratch/part" ||
    fail "a range of the large file came out different"

load "$seconds" >"$scratch/wrk"
rate=$(sed -n 's/^Requests\/sec: *//p' "$scratch/wrk")
if [ -z "$rate" ] || [ "${rate%%.*}" = 0 ] || grep -Eq 'Socket errors|Non-2xx' "$scratch/wrk"; then
    fail "requests failed under load"
fi

load 4 >"$scratch/wrk" 2>&1 &
clients=$!
sleep 1
began=$(date +%s)
kill -TERM "$server"
status=0
wait "$server" || status=$?
took=$(($(date +%s) - began))
server=
wait "$clients" || true
[ $status = 0 ] || fail "SIGTERM under load: exit status $status"
[ $took -le $((grace + 30)) ] || # far more than that, so that a slow machine passes
    fail "SIGTERM under load: took $took s, the grace period is $grace s"
echo "httpd: $connections connections, $rate requests/s, none failed; SIGTERM: exit 0 after $took s"
