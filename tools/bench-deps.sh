#!/bin/sh
# Installs what the peers of the benchmark need, where Debian's or Ubuntu's packages are to be had;
# elsewhere says what they are. A peer whose library is missing is not measured, nothing else.
set -eu

packages="libboost-context-dev libboost-fiber-dev libpth-dev libst-dev libuv1-dev golang-go python3
python3-uvloop python3-gevent g++ gnuplot-nox linux-perf wrk"

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -q
    # shellcheck disable=SC2086 # several
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
else
    echo "the peers need, by their names in Debian:" $packages
fi
