#!/bin/sh
# Runs make for aarch64 on a machine of another kind: cross-built by Debian's gcc against Debian's
# arm64 libraries, run by qemu-user. On aarch64 it is plain make. Called by `make check-aarch64`.
#
#   aarch64.sh check [FILTER='arch_*/*' DEBUG=1 ...]
#
# The libraries are unpacked once, into build/fetched, by an apt with a state of its own: packages
# and architectures of the machine stay as they are. Criterion starts each test by exec, hence the
# kernel has to know that qemu runs aarch64 programs (binfmt_misc): it may know already; else it is
# told so in a user namespace, for this run alone (Linux 6.7), or, by root, for all.
#
# Exit status 77: it can not be done here; the last line says what is missing.
set -u
cd "$(dirname "$0")/.." || exit 1

make=${MAKE:-make}
case $(uname -m) in aarch64 | arm64) exec $make "$@" ;; esac

compiler=aarch64-linux-gnu-gcc
packages='libc6-dev libcriterion-dev libdw-dev libunwind-dev'
fetched=$PWD/build/fetched
sysroot=$fetched/aarch64
formats=/proc/sys/fs/binfmt_misc
format=/usr/lib/binfmt.d/qemu-aarch64.conf # of qemu-user-static

missing() {
    echo "aarch64: not run, $*" >&2
    exit 77
}

need() { # program or file, package
    command -v "$1" >/dev/null || [ -f "$1" ] || missing "$1 is missing: apt-get install $2"
}

# ---- The libraries ----

# An apt for arm64 alone, that believes nothing to be installed.
apt() {
    APT_CONFIG=$sysroot.new/apt/conf apt-get -q "$@"
}

unpack() {
    rm -rf "$sysroot.new"
    mkdir -p "$sysroot.new/apt/state/lists/partial" "$sysroot.new/apt/cache/archives/partial" ||
        return 1
    cat >"$sysroot.new/apt/conf" <<EOF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "$sysroot.new/apt/state";
Dir::State::status "/dev/null";
Dir::Cache "$sysroot.new/apt/cache";
EOF
    apt update
    # shellcheck disable=SC2086 # one word a package
    apt install -y --download-only $packages || return 1
    for package in "$sysroot.new"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$sysroot.new" || return 1
    done
    find "$sysroot.new" -type l -lname '/*' | while read -r link; do # would lead out of it
        ln -snrf "$sysroot.new$(readlink "$link")" "$link" || exit 1
    done || return 1
    rm -rf "$sysroot.new/apt" "$sysroot"
    mv "$sysroot.new" "$sysroot"
}

unpack_once() {
    [ "$(cat "$sysroot/packages" 2>/dev/null)" = "$packages" ] && return
    need apt-get apt
    need dpkg-deb dpkg
    echo "aarch64: fetching $packages, and what they need, into $sysroot"
    mkdir -p "$fetched"
    if ! unpack >"$sysroot.log" 2>&1; then
        tail -n 20 "$sysroot.log" >&2
        missing "Debian's arm64 packages could not be had: $packages"
    fi
    echo "$packages" >"$sysroot/packages"
}

# ---- Running programs ----

# Whether a program for aarch64 starts, after "$@" if given.
starts() {
    "$@" "$fetched/aarch64.starts" 2>/dev/null
    [ $? = 42 ]
}

# Tells the kernel, or another one of its user namespaces, and then runs "$@" there.
register='{ [ -e "$0/register" ] || mount -t binfmt_misc none "$0"; } &&
          grep "^:qemu-aarch64:" "$1" >"$0/register"'
apart() {
    unshare --user --map-root-user --mount \
        sh -c "$register"' && shift && exec "$@"' "$formats" "$format" "$@"
}

need $compiler gcc-aarch64-linux-gnu
need $format qemu-user-static
unpack_once
export QEMU_LD_PREFIX="$sysroot" COIR_EMULATED=1 STRIP=aarch64-linux-gnu-strip
export PKG_CONFIG_SYSROOT_DIR="$sysroot"
export PKG_CONFIG_LIBDIR="$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig"
echo 'int main(void) { return 42; }' |
    $compiler --sysroot="$sysroot" -x c - -o "$fetched/aarch64.starts" || exit 1

# qemu ignores the limits that programs set to their memory; tests go to this one, which it obeys.
ulimit -S -v $((32 << 20)) || exit 1
set -- $make CC=$compiler AR=aarch64-linux-gnu-ar SYSROOT="$sysroot" "$@"
if starts; then
    exec "$@"
elif starts apart; then
    apart "$@"
elif [ "$(id -u)" = 0 ] && sh -c "$register" $formats $format && starts; then
    echo "aarch64: from now on this machine runs such programs: $formats/qemu-aarch64"
    exec "$@"
else
    missing "the kernel does not start its programs: it needs $formats with $format registered," \
        "for which root or a user namespace is needed"
fi
