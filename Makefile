# llm-run: one binary, one static library, their tests. `make help` lists the targets.
#
# Every variant builds below build/VARIANT/, so that they never disturb each other; a change of flags rebuilds.

VARIANT      ?= release
B            := build/$(VARIANT)
PREFIX       ?= /usr/local
DESTDIR      ?=
PYTHON       ?= python3
PKG_CONFIG   ?= pkg-config
FUZZ_SECONDS ?= 60
JOBS         ?= 1

# ---- toolchain and flags of the variant

ifneq ($(filter clang asan tsan fuzz,$(VARIANT)),)
ifeq ($(origin CC),default)
CC := clang
endif
endif

# Cross-built for aarch64 with the libraries that scripts/aarch64.sh lays out below build/.
ifeq ($(VARIANT),aarch64)
ROOT := $(CURDIR)/$(B)/root
ifeq ($(origin CC),default)
CC := aarch64-linux-gnu-gcc
endif
override CC += --sysroot=$(ROOT)
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(ROOT) PKG_CONFIG_LIBDIR=$(ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig $(PKG_CONFIG)
endif

OPT_release := -O3 -g
OPT_clang   := -O3 -g
OPT_aarch64 := -O3 -g
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_ubsan   := -O1 -g -fno-omit-frame-pointer -fsanitize=undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT         := $(OPT_$(VARIANT))
ifeq ($(OPT),)
$(error unknown VARIANT '$(VARIANT)': release, clang, debug, aarch64, asan, ubsan, tsan or fuzz)
endif
ifneq ($(filter asan ubsan tsan fuzz,$(VARIANT)),)
OPT += -DLR_SANITIZED
endif
ifneq ($(filter release clang aarch64,$(VARIANT)),)
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes \
        -Wwrite-strings -Wvla -Wundef -Werror

PACKAGES := libcjson openblas libpcre2-8 libutf8proc libxxhash
ifeq ($(filter clean help format lint uninstall,$(MAKECMDGOALS)),)
MISSING := $(shell for p in $(PACKAGES); do $(PKG_CONFIG) --exists $$p || echo $$p; done)
ifneq ($(strip $(MISSING)),)
$(error pkg-config does not find: $(strip $(MISSING)). $(if $(ROOT),scripts/aarch64.sh fetches,scripts/quickstart.sh installs) what is missing)
endif
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
# OpenBLAS is loaded when it is first wanted (src/kernel/blas.c): only its header is needed here.
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(filter-out openblas,$(PACKAGES)) 2>/dev/null)

CFLAGS   ?=
CPPFLAGS ?=
LDFLAGS  ?=
STD      := -std=gnu11 -D_GNU_SOURCE
BASE_FLAGS = $(STD) $(WARN) $(OPT) $(HARDEN) -pthread
ALL_FLAGS  = $(BASE_FLAGS) -Iinclude -Isrc $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK       = $(CC) $(OPT) -pthread $(LDFLAGS)
LIBS       = $(PKG_LIBS) -ldl -lm

# ---- sources, by wildcard

MACHINE := $(shell $(CC) -dumpmachine)
ISA_X86  := avx2 avxvnni avx512 avx512vnni avx512bf16
ISA_DIRS := $(ISA_X86) neon
ISA_HERE := $(if $(filter x86_64-%,$(MACHINE)),$(ISA_X86)) $(if $(filter aarch64-%,$(MACHINE)),neon)
ISA_SKIP := $(filter-out $(ISA_HERE),$(ISA_DIRS))
LIB_SRC  := $(filter-out src/cli/% $(ISA_SKIP:%=src/kernel/%/%),$(wildcard src/*/*.c src/*/*/*.c))
CLI_SRC     := $(wildcard src/cli/*.c)
MAIN_SRC    := $(wildcard main.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
TEST_SRC    := $(wildcard tests/unit/test_*.c tests/kernel/test_*.c tests/golden/test_*.c)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC   := $(wildcard tests/bench/bench_*.c)
EXAMPLE_SRC := $(wildcard examples/*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB     := $(B)/libllm-run.a
CLI     := $(if $(CLI_SRC),$(B)/libcli.a)
BINARY  := $(if $(MAIN_SRC),$(B)/llm-run)
TESTS   := $(TEST_SRC:%.c=$(B)/%)
REPLAYS := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(B)/tests/fuzz/replay_%)
FUZZERS := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/tests/fuzz/%)
BENCHES := $(BENCH_SRC:%.c=$(B)/%)
EXAMPLES := $(EXAMPLE_SRC:%.c=$(B)/%)
MANUAL  := $(if $(wildcard scripts/manual.c),$(B)/manual)

# ---- targets

.PHONY: all objects debug asan ubsan tsan test test-memory tests fuzz fuzzers bench lint format install uninstall clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: objects $(BINARY)  ## the library and the binary (build/release/llm-run, and ./llm-run that points to it)
ifeq ($(VARIANT),release)
	@$(if $(BINARY),ln -sfn $(BINARY) llm-run)
endif

objects: $(LIB) $(CLI)

tests: all $(TESTS) $(REPLAYS) $(EXAMPLES) $(MANUAL)

test: tests  ## build and run all tests (ONLY=word: those whose name holds it; JOBS=2: two at once)
	$(PYTHON) scripts/run_tests.py --build $(B) --jobs $(JOBS) $(if $(ONLY),--only '$(ONLY)')

MEMORY_TESTS := memory_policy memory facts watch arena plan
test-memory: $(MEMORY_TESTS:%=$(B)/tests/unit/test_%)  ## the memory policy's tests alone, and its table of rules with what was seen
	$(B)/tests/unit/test_memory_policy --table
	$(PYTHON) scripts/run_tests.py --build $(B) --kinds unit --only '$(MEMORY_TESTS:%=test_%)'

debug:  ## unoptimised, in build/debug
	$(MAKE) VARIANT=debug all
asan ubsan tsan:  ## the tests under a sanitizer (asan: address and undefined behaviour, clang)
	$(MAKE) VARIANT=$@ test

fuzz:  ## each fuzz target for FUZZ_SECONDS (default 60) with libFuzzer
	$(MAKE) VARIANT=fuzz fuzzers
	$(PYTHON) scripts/run_fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS) $(if $(ONLY),--only '$(ONLY)')
fuzzers: $(FUZZERS)

bench: all $(BENCHES)  ## the measurements in tests/bench; MODEL=dir: decoding beside the machine's read rate too
	@for b in $(BENCHES); do echo "== $$b"; $$b || exit 1; done
	$(if $(MODEL),$(PYTHON) scripts/bench.py '$(MODEL)' --build $(B))

lint:  ## layers, lengths, clang-format, clang-tidy, cppcheck
	$(PYTHON) scripts/lint.py

format:  ## clang-format over all C files
	clang-format -i $(wildcard main.c include/*.h examples/*.c scripts/*.c) \
	    $(shell find src tests -name '*.c' -o -name '*.h' -o -name '*.inc')

install: all $(MANUAL)  ## binary, library, header, man page and completions below DESTDIR/PREFIX
	install -Dm755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/llm-run'
	install -Dm644 include/llm_run.h '$(DESTDIR)$(PREFIX)/include/llm_run.h'
	install -Dm644 $(LIB) '$(DESTDIR)$(PREFIX)/lib/libllm-run.a'
	$(MANUAL) man  > $(B)/llm-run.1    && install -Dm644 $(B)/llm-run.1    '$(DESTDIR)$(PREFIX)/share/man/man1/llm-run.1'
	$(MANUAL) bash > $(B)/llm-run.bash && install -Dm644 $(B)/llm-run.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/llm-run'
	$(MANUAL) zsh  > $(B)/llm-run.zsh  && install -Dm644 $(B)/llm-run.zsh  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_llm-run'
	$(MANUAL) fish > $(B)/llm-run.fish && install -Dm644 $(B)/llm-run.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/llm-run.fish'

uninstall:  ## removes what install brought
	rm -f $(addprefix '$(DESTDIR)$(PREFIX)'/,bin/llm-run include/llm_run.h lib/libllm-run.a share/man/man1/llm-run.1 \
	    share/bash-completion/completions/llm-run share/zsh/site-functions/_llm-run share/fish/vendor_completions.d/llm-run.fish)

clean:  ## removes build/ and ./llm-run
	rm -rf build llm-run

help:  ## this list
	@sed -nE 's/^([a-z-]+( [a-z]+)*):.*  ## (.*)/\1\t\3/p' Makefile | expand -t 18
	@echo "Variables: VARIANT=release|clang|debug|aarch64|asan|ubsan|tsan|fuzz CC CFLAGS LDFLAGS PREFIX DESTDIR ONLY JOBS FUZZ_SECONDS"

# ---- rules

# One short line for each command; `make V=1` shows them whole.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $(2);)

$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_FLAGS) | $(LINK) $(LIBS)' | cmp -s - $@ || echo '$(CC) $(ALL_FLAGS) | $(LINK) $(LIBS)' > $@

# Contraction would make the sum depend on the compiler; the ISA files say fma where they mean it.
FP = -ffp-contract=off
$(B)/obj/src/kernel/avx2/%.o:   ISA = -mavx2 -mfma -mf16c
AVX512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
$(B)/obj/src/kernel/avxvnni/%.o: ISA = -mavx2 -mfma -mf16c -mavxvnni
$(B)/obj/src/kernel/avx512/%.o: ISA = $(AVX512)
$(B)/obj/src/kernel/avx512vnni/%.o: ISA = $(AVX512) -mavx512vnni
$(B)/obj/src/kernel/avx512bf16/%.o: ISA = $(AVX512) -mavx512bf16
$(B)/obj/tests/%.o:    EXTRA = -Itests
$(B)/obj/examples/%.o: ALL_FLAGS = $(BASE_FLAGS) -Iinclude $(CPPFLAGS) $(CFLAGS)

$(B)/obj/%.o: %.c $(B)/flags Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_FLAGS) $(EXTRA) $(FP) $(ISA) -MMD -MP -c -o $@ $<

$(LIB): $(call obj,$(LIB_SRC))
$(CLI): $(call obj,$(CLI_SRC))
$(LIB) $(CLI):
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(B)/llm-run: $(call obj,$(MAIN_SRC))
$(B)/manual: $(call obj,scripts/manual.c)
$(B)/llm-run $(B)/manual: $(CLI) $(LIB)
	$(call say,LD,$@)$(LINK) -o $@ $(filter %.o,$^) $(CLI) $(LIB) $(LIBS)

# The command line is not part of the library; tests may see it too. Calls to the system that tests can have refused
# go through tests/support/system.c.
REFUSABLE := $(shell sed -nE 's/^SYSTEM_CALL.[^,]*, ([a-z0-9_]+),.*/\1/p' tests/support/system.c)
$(TESTS) $(BENCHES): $(B)/%: $(B)/obj/%.o $(call obj,$(SUPPORT_SRC)) $(CLI) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK) $(REFUSABLE:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(CLI) $(LIB) $(shell $(PKG_CONFIG) --libs cmocka) $(LIBS)

$(REPLAYS): $(B)/tests/fuzz/replay_%: $(B)/obj/tests/fuzz/fuzz_%.o $(call obj,tests/fuzz/replay_main.c) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK) -o $@ $(filter %.o,$^) $(LIB) $(LIBS)

$(FUZZERS): $(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIB) $(LIBS)

$(EXAMPLES): $(B)/%: $(B)/obj/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK) -o $@ $(filter %.o,$^) $(LIB) $(LIBS)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
