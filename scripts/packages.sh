# What has to be installed, and how each system calls it. Sourced by quickstart.sh and test.sh.
#
# One row for each need: how it is found, then its packages for apt, dnf, pacman and apk. apt is tried in a bare Debian
# root; dnf, pacman and apk are untested. A need is found by `cmd NAME`, `pc NAME` (pkg-config), or `fn SHELL_FUNCTION`.

BUILD_NEEDS='
cmd cc            gcc                 gcc                 gcc          gcc
fn  has_libc      libc6-dev           glibc-devel         glibc        musl-dev
cmd make          make                make                make         make
cmd pkg-config    pkg-config          pkgconf-pkg-config  pkgconf      pkgconf
pc  openblas      libopenblas-dev     openblas-devel      openblas     openblas-dev
pc  libcjson      libcjson-dev        cjson-devel         cjson        cjson-dev
pc  libpcre2-8    libpcre2-dev        pcre2-devel         pcre2        pcre2-dev
pc  libutf8proc   libutf8proc-dev     utf8proc-devel      libutf8proc  utf8proc-dev
pc  libxxhash     libxxhash-dev       xxhash-devel        xxhash       xxhash-dev
'
TEST_NEEDS='
pc  cmocka        libcmocka-dev       libcmocka-devel     cmocka        cmocka-dev
cmd clang         clang               clang               clang         clang
fn  has_clang_rt  libclang-rt-dev     compiler-rt         compiler-rt   compiler-rt
cmd python3       python3             python3             python        python3
fn  has_pytest    python3-pytest      python3-pytest      python-pytest py3-pytest
fn  has_numpy     python3-numpy       python3-numpy       python-numpy  py3-numpy
cmd jq            jq                  jq                  jq            jq
cmd strace        strace              strace              strace        strace
cmd valgrind      valgrind            valgrind            valgrind      valgrind
'
LINT_NEEDS='
cmd clang-format  clang-format        clang-tools-extra   clang         clang-extra-tools
cmd clang-tidy    clang-tidy          clang-tools-extra   clang         clang-extra-tools
cmd cppcheck      cppcheck            cppcheck            cppcheck      cppcheck
'
# For the tests of aarch64 on another processor; with apt alone, as the libraries for it are Debian's (aarch64.sh).
AARCH64_NEEDS='
cmd aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
cmd qemu-aarch64  qemu-user
'

has_libc() { echo '#include <stdio.h>' | cc -fsyntax-only -x c - 2>/dev/null; }
has_clang_rt() {
    local probe
    probe=$(mktemp) || return 1
    echo 'int main(void) { return 0; }' | clang -fsanitize=address,undefined -x c - -o "$probe" 2>/dev/null
    local status=$?
    rm -f "$probe"
    return $status
}
has_module() {
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c "import $1" 2>/dev/null && return 0
    done
    return 1
}
has_pytest() { has_module pytest; }
has_numpy() { has_module numpy; }

is_there() {
    case $1 in
    cmd) command -v "$2" >/dev/null ;;
    pc) pkg-config --exists "$2" 2>/dev/null ;;
    fn) "$2" ;;
    esac
}

# Prints the names that manager number $1 (0: apt, 1: dnf ...) gives to what is missing of the needs in $2.
missing_packages() {
    local kind name packages
    while read -r kind name packages; do
        if [ -z "$kind" ] || is_there "$kind" "$name"; then continue; fi
        read -ra packages <<<"$packages"
        echo "${packages[$1]}"
    done <<<"$2" | sort -u
}

# Installs what is missing of the needs given, says so first, and does nothing when nothing is missing.
install_missing() {
    local managers=(apt-get dnf pacman apk) number=0 names sudo=()
    while [ "$number" -lt 4 ] && ! command -v "${managers[number]}" >/dev/null; do number=$((number + 1)); done
    names=$(missing_packages "$((number % 4))" "$*")
    [ -n "$names" ] || return 0
    if [ "$number" = 4 ]; then
        echo "Missing (by their Debian names): ${names//$'\n'/ }" >&2
        echo "No apt, dnf, pacman or apk here: please install them yourself and run this again." >&2
        return 1
    fi
    echo "To be installed with ${managers[number]}: ${names//$'\n'/ }"
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "This needs root, and there is no sudo: please install them as root and run this again." >&2
            return 1
        fi
        sudo=(sudo)
    fi
    # shellcheck disable=SC2086
    "install_with_${managers[number]%-get}" $names
}

install_with_apt() {
    "${sudo[@]}" apt-get update -q || return
    # older releases have clang's run-time in the package that clang itself brings
    if ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then set -- "${@/#libclang-rt-dev/}"; fi
    # shellcheck disable=SC2068
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $@
}
install_with_dnf() { "${sudo[@]}" dnf install -y "$@"; }
install_with_pacman() { "${sudo[@]}" pacman -S --needed --noconfirm "$@"; }
install_with_apk() { "${sudo[@]}" apk add "$@"; }

require_linux() {
    if [ "$(uname -s)" != Linux ]; then
        echo "llm-run runs on Linux (on Windows: in WSL2, see README.md)." >&2
        exit 1
    fi
}
