#!/usr/bin/env bash
# All tests, as continuous integration runs them: scripts/test.sh [--full]
#
# Installs what only tests need, builds with gcc and with clang, runs the unit, kernel, golden and end-to-end tests, and the
# unit, golden and fuzz-replay tests under AddressSanitizer and UndefinedBehaviorSanitizer. --full adds ThreadSanitizer,
# the rest of the tests under the sanitizers, longer sweeps, lint, fuzzing (FUZZ_SECONDS for each target, default 120), on
# x86-64 Debian a build for aarch64 and its tests under emulation and, as root, a moment of strict overcommit.
# The last line is `N passed, M failed, K skipped`; a build counts as one test.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

full=0
case ${1:-} in
'') ;;
--full) full=1 ;;
*) echo "usage: scripts/test.sh [--full]" >&2 && exit 2 ;;
esac

require_linux
needs="$BUILD_NEEDS$TEST_NEEDS"
[ $full = 0 ] || needs="$needs$LINT_NEEDS"
emulate=0
if [ $full = 1 ] && [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null; then emulate=1 needs="$needs$AARCH64_NEEDS"; fi
install_missing "$needs" || exit 1

work=$(mktemp -d)
totals=$work/totals
echo "0 0 0" >"$totals"
jobs=$(nproc)

count() { # passed failed
    read -r p f s <"$totals"
    echo "$((p + $1)) $((f + $2)) $s" >"$totals"
}

# One command as one test.
single() { # name command...
    local name=$1
    shift
    echo "== $name"
    if "$@" >"$work/log" 2>&1; then
        count 1 0
    else
        count 0 1
        echo "FAIL $name"
        tail -n 100 "$work/log"
        return 1
    fi
}

# Builds a variant; its tests run only if that went well.
variant() { # variant kinds jobs
    single "build $1" make -k -j"$jobs" VARIANT="$1" tests || return
    echo "== $1: $2"
    python3 scripts/run_tests.py --build "build/$1" --kinds "$2" --jobs "$3" --totals "$totals"
}

# A command under vm.overcommit_memory=2, which holds for the whole machine: with 8 GB left to commit, so that nobody else is
# refused. What was set before is put back, however this ends.
with_strict_overcommit() ( # command...
    vm=/proc/sys/vm
    mode=$(cat $vm/overcommit_memory) kbytes=$(cat $vm/overcommit_kbytes) ratio=$(cat $vm/overcommit_ratio)
    restore() {
        echo "$mode" >$vm/overcommit_memory
        if [ "$kbytes" = 0 ]; then echo "$ratio" >$vm/overcommit_ratio; else echo "$kbytes" >$vm/overcommit_kbytes; fi
    }
    trap restore EXIT
    trap 'exit 1' HUP INT TERM
    committed=$(awk '/^Committed_AS/ { print $2 }' /proc/meminfo)
    echo $((committed + (8 << 20))) >$vm/overcommit_kbytes && echo 2 >$vm/overcommit_memory && "$@"
)

finish() {
    read -r p f s <"$totals"
    rm -rf "$work"
    echo "$p passed, $f failed, $s skipped"
    [ "$f" = 0 ] && [ "$p" != 0 ]
    exit
}
trap 'count 0 1; finish' INT TERM

[ $full = 0 ] || export LR_TEST_SWEEP=full LR_TEST_TIMEOUT=1800
variant release unit,kernel,golden,fuzz,examples,e2e 1
single "instructions per token" python3 scripts/count_instructions.py && cat "$work/log"
unset LR_TEST_SWEEP # sanitizers would take hours for every call that may fail: they take some of them
variant clang unit,kernel,golden "$jobs"
if [ $full = 1 ] && [ -w /proc/sys/vm/overcommit_memory ]; then
    with_strict_overcommit python3 scripts/run_tests.py --build build/release --kinds e2e --only strict_overcommit --totals "$totals"
fi
if [ $full = 0 ]; then
    variant asan unit,golden,fuzz "$jobs"
else
    variant asan unit,kernel,golden,fuzz,examples,e2e "$jobs"
    variant ubsan unit,kernel,golden,fuzz,examples,e2e "$jobs"
    variant tsan unit,kernel,golden,examples,e2e "$jobs"
    if [ $emulate = 1 ]; then
        single "libraries for aarch64" scripts/aarch64.sh && variant aarch64 unit,kernel,golden "$jobs"
    else
        echo "skipped aarch64: its emulation is set up for Debian on x86-64"
    fi
    single "lint" python3 scripts/lint.py
    single "build fuzz" make -j"$jobs" VARIANT=fuzz fuzzers
    python3 scripts/run_fuzz.py --build build/fuzz --seconds "${FUZZ_SECONDS:-120}" --jobs "$jobs" --totals "$totals"
fi
finish
