#!/bin/sh
# Compiles every C program that README.md shows, without a warning, against the library built:
# what a newcomer copies first has to work.
#
#   readme.sh [build directory]     CC chooses the compiler
set -eu

build=${1:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

awk -v dir="$scratch" '
    /^```c$/ { ++count; inside = 1; next }
    /^```/   { inside = 0 }
    inside   { print > (dir "/" count ".c") }' README.md
programs=0
for source in "$scratch"/*.c; do
    grep -q '^int main' "$source" || continue
    ${CC:-cc} -std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Iinclude \
        "$source" -o "${source%.c}" "$build/libcoir.a" -pthread
    programs=$((programs + 1))
done
[ $programs -gt 0 ] || { echo "README.md shows no program" >&2; exit 1; }
echo "README.md: $programs programs compile"
