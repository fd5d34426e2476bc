#!/bin/sh
# Installs the libraries the tests need, Criterion and libunwind, with the system's package manager
# where that works without asking (as root, or by sudo without a password), and otherwise says in
# one line what to install. Does nothing if they are there. Called by `make deps`. RUNNER=plain:
# does without Criterion.
set -u

found() {
    if [ "${RUNNER:-criterion}" = plain ]; then
        printf '#include <libunwind.h>\nint main(void) { return 0; }\n' |
            ${CC:-cc} -x c - -o /dev/null -lunwind 2>/dev/null
        return
    fi
    printf '#include <criterion/criterion.h>\n#include <libunwind.h>\nTest(deps, found) {}\n' |
        ${CC:-cc} -x c $(pkg-config --cflags criterion 2>/dev/null) - -o /dev/null \
            $(pkg-config --libs criterion 2>/dev/null || echo -lcriterion) -lunwind 2>/dev/null
}

if found; then
    exit 0
fi

prepare=:
if command -v apt-get >/dev/null; then # Debian, Ubuntu
    prepare="apt-get update -q"
    install="apt-get install -q -y libcriterion-dev libunwind-dev"
elif command -v dnf >/dev/null; then # Fedora
    install="dnf install -q -y criterion-devel libunwind-devel"
elif command -v pacman >/dev/null; then # Arch
    install="pacman -S --noconfirm criterion libunwind"
elif command -v brew >/dev/null; then # macOS, which has libunwind
    install="brew install criterion"
elif command -v pkg >/dev/null; then # FreeBSD
    install="pkg install -y criterion libunwind"
else
    echo "The tests need Criterion (github.com/Snaipe/Criterion) and libunwind: please install them." >&2
    exit 1
fi

may=sudo
if [ "$(id -u)" = 0 ] || [ "${install%% *}" = brew ]; then
    may=
elif ! sudo -n true 2>/dev/null; then
    echo "The tests need Criterion and libunwind: sudo $install" >&2
    exit 1
fi

echo "Installing what the tests need: $install"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
$may $prepare >/dev/null # the package lists may be stale or missing; install says what is wrong
if ! $may $install >/dev/null || ! found; then
    echo "The tests need Criterion and libunwind, and this did not install them: $install" >&2
    exit 1
fi
