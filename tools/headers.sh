#!/bin/sh
# Compiles every public header alone, as C11 and as C++17, with the strictest warnings a user may
# have on, as errors: each header includes what it uses, and none brings a warning into a build.
#
#   headers.sh [directory with coir.h]     CC and CXX choose the compilers
set -eu

directory=${1:-include}
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wcast-qual -Wwrite-strings -Werror"

headers=$(cd "$directory" && find . -name '*.h' | sed 's|^\./||' | sort)
[ -n "$headers" ] || { echo "no headers in $directory" >&2; exit 1; }
for header in $headers; do
    # Twice: the include guard works too.
    text=$(printf '#include <%s>\n#include <%s>\ntypedef int nothing_else;' "$header" "$header")
    echo "$text" | ${CC:-cc} -std=c11 -D_DEFAULT_SOURCE $warnings -Wstrict-prototypes \
        -I"$directory" -x c -fsyntax-only -
    echo "$text" | ${CXX:-c++} -std=c++17 $warnings -Wold-style-cast \
        -I"$directory" -x c++ -fsyntax-only -
done
echo "$(echo "$headers" | wc -l) headers: each alone as C11 and as C++17"
