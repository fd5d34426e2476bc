#!/bin/sh
# Compiles every C program that README.md and docs/testing.md show, without a warning, against the
# library built: what a newcomer copies first has to work. Those of the latter are tests: they are
# run, too, and must say nothing and end with 0.
#
#   readme.sh [build directory]     CC chooses the compiler
set -eu

build=${1:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

compile() { # document: $programs of it compile, in $scratch/document
    mkdir -p "$scratch/$1"
    awk -v dir="$scratch/$1" '
        /^```c$/ { ++count; inside = 1; next }
        /^```/   { inside = 0 }
        inside   { print > (dir "/" count ".c") }' "$1"
    programs=0
    for source in "$scratch/$1"/*.c; do
        grep -q '^int main' "$source" || continue
        library=$build/libcoir.a
        ! grep -q 'coir/sim\.h' "$source" || library=$build/libcoir-sim.a
        ${CC:-cc} -std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Iinclude \
            "$source" -o "${source%.c}" "$library" -pthread
        programs=$((programs + 1))
    done
    [ $programs -gt 0 ] || { echo "$1 shows no program" >&2; exit 1; }
}

compile docs/testing.md
tests=$programs
for test in $(find "$scratch/docs" -type f ! -name '*.c'); do
    "$test" >"$scratch/said" 2>&1 || { cat "$scratch/said" "$test.c" >&2; exit 1; }
    [ ! -s "$scratch/said" ] || { cat "$scratch/said" "$test.c" >&2; exit 1; }
done
compile README.md
echo "README.md: $programs programs compile; docs/testing.md: $tests do, and run"
