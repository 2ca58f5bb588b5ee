#!/usr/bin/env bash
# Lays out build/aarch64/root: Debian's arm64 libraries and headers that a cross-build links with (`make VARIANT=aarch64`) and
# that its programs then run with, under qemu-aarch64 (scripts/run_tests.py --build build/aarch64).
#
# apt runs with a state and a cache of its own below build/, so that the system's is not touched and gets no second
# architecture; nothing is installed, the packages are only unpacked. The sources are the system's. Does nothing where the
# folder is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

root=build/aarch64/root
libraries=(libc6-dev libcjson-dev libopenblas-dev libpcre2-dev libutf8proc-dev libxxhash-dev libcmocka-dev)
[ ! -d $root ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "The arm64 libraries come from Debian's packages, and there is no apt here." >&2
    exit 1
fi

work=$PWD/build/aarch64/apt
unpacked=$work/root
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$unpacked"
touch "$work/status" # as on a system where nothing is installed
apt() {
    apt-get -q -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= -o Dir::State="$work" \
        -o Dir::State::status="$work/status" -o Dir::Cache="$work" --no-install-recommends "$@"
}
apt update
apt --download-only install "${libraries[@]}"
for package in "$work"/archives/*.deb; do dpkg -x "$package" "$unpacked"; done

# Packages leave these links to be made when they are installed.
lib=$unpacked/usr/lib/aarch64-linux-gnu
ln -s openblas-pthread/libopenblas.so.0 "$lib/libopenblas.so.0"
ln -s ../openblas-pthread/pkgconfig/openblas.pc "$lib/pkgconfig/openblas.pc"
# Links from the root of the file system would lead to this machine's own.
find "$unpacked" -type l -lname '/*' | while read -r link; do ln -sfr "$unpacked$(readlink "$link")" "$link"; done
mv "$unpacked" $root
rm -rf "$work"
