#!/bin/sh
# Compiles every line of code in the tables of docs/from-asyncio.md, without a warning, each in a
# function of its own, after the names that its block of C gives. A row without a line of code in
# the second column has to say "not there". All else of Coir that the document names has to exist,
# and no program of examples/patterns may be missing.
#
#   from-asyncio.sh [the document]     CC chooses the compiler; run it at the top of the source
set -eu

document=${1:-docs/from-asyncio.md}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# "#line" makes the compiler complain about the document itself.
awk -F ' *[|] *' -v file="$document" -v summary="$scratch/summary" '
    function complain(why) { print file ":" NR ": " why > "/dev/stderr"; failed = 1 }
    function compile(line) {
        print "int line_" ++lines "(void);\n#line " NR " \"" file "\""
        print "int line_" lines "(void) { " line " return 0; }"
    }
    /^```c$/ { print "#line " NR + 1 " \"" file "\""; inside = 1; next }
    /^```/   { inside = 0 }
    inside   { print; next }
    !/^\|/ || $3 == "Coir" || $3 ~ /^-+$/ { next }
    NF != 5  { complain("not three columns") }
    $3 ~ /^`[^`]*;`$/ { compile(substr($3, 2, length($3) - 2)) }
    $3 ~ /^not there( yet)?$/ { absent++ }
    $3 !~ /^(`[^`]*;`|not there( yet)?)$/ { complain("neither a line of code nor \"not there\"") }
    { while (match($4, /`[^`]*;`/)) {
          compile(substr($4, RSTART + 1, RLENGTH - 2))
          $4 = substr($4, RSTART + RLENGTH)
      } }
    END {
        print file ": " lines " lines compile, " absent " things are not there" > summary
        exit failed || !lines
    }' "$document" >"$scratch/lines.c"

for name in $(grep -oE '\b(coir|COIR)_[A-Za-z_]*[a-zA-Z]' "$document" | sort -u); do
    grep -qw "$name" include/coir/*.h || { echo "$document: there is no $name" >&2; exit 1; }
done

for program in examples/patterns/*.c; do
    name=$(basename "$program" .c)
    grep -q "\`$name\`" "$document" || { echo "$document: $program is missing" >&2; exit 1; }
done

${CC:-cc} -std=gnu11 -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude \
    -c "$scratch/lines.c" -o "$scratch/lines.o"
cat "$scratch/summary"
