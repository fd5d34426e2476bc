#!/bin/sh
# Compares what the shared library exports with what the public headers declare COIR_API: nothing
# else may be exported, and nothing declared may be missing. In the static library, where hidden
# symbols still meet the user's at link time, every global name begins with coir_ (or is what
# <sys/sdt.h> defines for probes, weakly).
#
#   symbols.sh [build directory]     NM chooses the tool
set -eu

build=${1:-build}
[ -f "$build/libcoir.so" ] || { echo "no libcoir.so in $build" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A declaration is all from COIR_API to its semicolon; its name is the first coir_... with a "(".
cat include/coir/*.h | sed '/^ *#define/d' | tr '\n' ' ' | tr ';' '\n' |
    sed -n 's/.*COIR_API//p' | grep -oE 'coir_[a-z0-9_]+ *\(.*' | sed 's/[ (].*//' |
    sort -u >"$scratch/declared"
${NM:-nm} -D --defined-only "$build/libcoir.so" | awk '{ print $NF }' | sort -u >"$scratch/exported"
${NM:-nm} -g --defined-only "$build/libcoir.a" 2>/dev/null | awk 'NF == 3 { print $3 }' |
    grep -Ev '^(coir_|_\.stapsdt\.base$)' | sort -u >"$scratch/foreign" || true

failed=0
report() {
    if [ -s "$2" ]; then
        echo "$1: $(tr '\n' ' ' <"$2")" >&2
        failed=1
    fi
}
comm -23 "$scratch/declared" "$scratch/exported" >"$scratch/missing"
comm -13 "$scratch/declared" "$scratch/exported" >"$scratch/private"
report "declared but not exported" "$scratch/missing"
report "exported but not declared" "$scratch/private"
report "global in libcoir.a without the prefix" "$scratch/foreign"
[ -s "$scratch/exported" ] || { echo "nothing is exported" >&2; failed=1; }
[ $failed = 0 ] && echo "$(wc -l <"$scratch/exported") symbols exported, all of them public"
