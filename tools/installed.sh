#!/bin/sh
# Installs into an empty directory and uses what is there as a stranger would, through pkg-config:
# an example against the shared and against the static library, a C++ program, and a test on the
# simulated system; runs them, and the self-check; uninstalls, and looks for what was left.
#
#   installed.sh     CC, CXX and MAKE choose the tools
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
install="${MAKE:-make} DESTDIR=$scratch PREFIX=/opt/coir"
PKG_CONFIG_SYSROOT_DIR=$scratch
PKG_CONFIG_LIBDIR=$scratch/opt/coir/lib/pkgconfig
LD_LIBRARY_PATH=$scratch/opt/coir/lib
export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR LD_LIBRARY_PATH

fail() {
    echo "$*" >&2
    exit 1
}
needs_shared() {
    readelf -d "$1" | grep -q 'NEEDED.*libcoir\.so\.0\]'
}

$install install
cflags=$(pkg-config --cflags coir)
shared=$(pkg-config --libs coir)
static="-Wl,-Bstatic $(pkg-config --static --libs coir) -Wl,-Bdynamic"
example="-std=gnu11 -D_GNU_SOURCE $cflags examples/scrape.c $(find examples/lib -name '*.c')"

${CC:-cc} $example -o "$scratch/shared" $shared
${CC:-cc} $example -o "$scratch/static" $static
needs_shared "$scratch/shared" || fail "the shared library is not used"
! needs_shared "$scratch/static" || fail "the static library is not used"
"$scratch/shared" >"$scratch/output" || fail "the example with the shared library failed"
[ -s "$scratch/output" ] || fail "the example with the shared library said nothing"
"$scratch/static" >"$scratch/output" || fail "the example with the static library failed"
[ -s "$scratch/output" ] || fail "the example with the static library said nothing"

cat >"$scratch/plus.cc" <<'END'
#include <coir.h>
static int child(void *arg) {
    *static_cast<int *>(arg) = coir_sleep(COIR_MS(1)) == 0 ? 7 : 0;
    return 0;
}
static int body(void *arg) {
    coir_scope scope{};
    coir_scope_open_with(&scope, nullptr);
    const int rc = coir_spawn(&scope, child, arg);
    return coir_scope_close(&scope, rc);
}
int main() {
    int value = 0;
    return coir_run(body, &value) == 0 && value == 7 ? 0 : 1;
}
END
${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror $cflags "$scratch/plus.cc" \
    -o "$scratch/plus" $shared
"$scratch/plus" || fail "the C++ program failed"

cat >"$scratch/simulated.c" <<'END'
#include <coir.h>
#include <coir/sim.h>
#include <errno.h>
static int sleeper(void *arg) {
    (void)arg;
    return coir_sim_active() ? coir_sleep(COIR_SEC(24 * 3600)) : -EPROTO;
}
int main(void) {
    const coir_sim_options options = {.seed = 7};
    coir_sim_report first, second;
    if (coir_sim_run(sleeper, NULL, &options, &first) != 0 ||
        coir_sim_run(sleeper, NULL, &options, &second) != 0)
        return 1;
    return first.ended < COIR_SEC(25 * 3600) || first.digest != second.digest;
}
END
${CC:-cc} -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags coir-sim) "$scratch/simulated.c" \
    -o "$scratch/simulated" $(pkg-config --libs coir-sim)
"$scratch/simulated" || fail "the program with the simulated system failed"

if [ -x "$scratch/opt/coir/bin/coir-ps" ]; then # libdw is there
    "$scratch/opt/coir/bin/coir-ps" --version >"$scratch/output" || fail "coir-ps does not run"
fi
"$scratch/opt/coir/bin/coir-selfcheck" >"$scratch/output" ||
    fail "the self-check failed: $(cat "$scratch/output")"

$install uninstall
left=$(find "$scratch/opt" ! -type d)
[ -z "$left" ] || fail "left after uninstalling: $left"
echo "installed: runs with the shared library, with the static one, simulated, and from C++"
