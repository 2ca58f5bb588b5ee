#!/usr/bin/env python3
"""Checks the form of the tree: the rules of docs/design.md, clang-format, clang-tidy, cppcheck.

usage: lint.py [--form] [--stats]     (--form: only the rules that need no other program; --stats: lengths in figures)

Rules checked here, over src/, include/, main.c:
  layers       includes are written from src/ and point only downwards; kernel sees base and sys, text sees base, sys and
               format, cli sees base and run (and llm_run.h)
  homes        cJSON, cblas, pcre2 and utf8proc are each included in one place
  below cli    no printing, exiting, environment or raw heap calls; no mutable globals but the known ones
  lengths      files <= 500 lines; functions <= 80 (kernels excepted), nine in ten < 40, median <= 15
  headers      open with a comment that says what they are for, and have an include guard
Text rules over the whole tree: no tabs in C, no trailing blanks, no notes of work left undone.
"""
import concurrent.futures
import fnmatch
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys

LAYERS = ["base", "sys", "format", "kernel", "text", "weights", "model", "run", "cli"]
SEES = {"kernel": {"base", "sys"}, "text": {"base", "sys", "format"}, "cli": {"base", "run"}}
HOMES = {
    r"cJSON\.h$": "src/format/json",
    r"cblas|openblas": "src/kernel/blas",
    r"pcre2": "src/text/",
    r"utf8proc": "src/text/",
}
BANNED = re.compile(
    r"(?<![\w.>])(exit|_exit|_Exit|quick_exit|abort|assert|printf|fprintf|vprintf|puts|putchar|fputs|perror|getenv|secure_getenv|"
    r"setenv|putenv|system|popen|gets|strcpy|strcat|sprintf|strtok|rand|srand|localtime|gmtime|setlocale|alloca|"
    r"malloc|calloc|realloc|free|strdup|strndup|asprintf)\s*\(")
MAY_CALL = {"src/base/mem.c": {"malloc", "calloc", "realloc", "free"}}
# mem.c: a test makes allocations fail; fault.c: a signal handler is given no context of its own
MAY_HAVE_GLOBALS = {"src/base/log.c", "src/base/mem.c", "src/format/json.c", "src/sys/fault.c"}
TEMPLATES = "src/kernel/simd/"  # included once for each instruction set
FILE_LINES, FUNCTION_LINES, NINE_IN_TEN, MEDIAN, PUBLIC_LINES = 500, 80, 40, 15, 250
UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def tracked(*patterns):
    """The files of the tree that match, sorted; build output and hidden folders left out."""
    found = []
    for folder, inner, names in os.walk("."):
        inner[:] = [d for d in inner if not d.startswith(".") and d not in ("build", "__pycache__")]
        found += [os.path.join(folder, n)[2:] for n in names]
    return sorted(f for f in found if any(fnmatch.fnmatchcase(f, p) for p in patterns))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def blank_out(text):
    """The text with comments, strings and character constants blanked; lines and columns stay."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def top_level(code):
    """Yields (kind, head, first line, last line) for what stands at file level: kind is 'body' for head{...}, else 'plain'."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), code, flags=re.M)
    code = code.replace('extern "C" {', "").replace('extern     {', "")
    depth, head, line, opened, body = 0, "", 1, 0, False
    for c in code:
        if c == "\n":
            line += 1
        if c == "{":
            if depth == 0:
                opened, body = line, re.search(r"\)\s*(__attribute__\s*\(.*\)\s*)?$", head, re.S) is not None and "=" not in head
            depth += 1
        elif c == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and body:
                yield "body", head.strip(), opened, line
                head, body = "", False
        elif depth == 0:
            if c == ";":
                yield "plain", head.strip(), line, line
                head = ""
            else:
                head += c


def functions(code):
    for kind, head, first, last in top_level(code):
        if kind == "body":
            names = re.findall(r"([A-Za-z_]\w*)\s*\(", head)
            names = [n for n in names if n != "__attribute__"]
            yield (names[0] if names else "?"), first, last - first + 1


def is_mutable(declaration):
    """Whether a declaration with static storage can be written to."""
    d = declaration.split("=")[0]
    if "*" in d:
        return not re.search(r"\*\s*const\b[^*]*$", d)
    return not re.search(r"\bconst\b", d)


def layer_of(path):
    m = re.match(r"src/(\w+)/", path)
    return m.group(1) if m else None


def check_includes(path, text):
    here = layer_of(path)
    for mark, inc in re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', text, re.M):
        for pattern, home in HOMES.items():
            if re.search(pattern, inc) and not path.startswith(home):
                yield f"{path}: includes {inc}, whose home is {home}"
        there = inc.split("/")[0]
        if here not in LAYERS or there == here or inc == "llm_run.h":
            continue
        if mark == "<" and not os.path.exists("src/" + inc):  # <sys/stat.h> is the system's
            continue
        if there not in LAYERS:
            yield f"{path}: includes {inc}, which is not written from src/"
            continue
        if LAYERS.index(there) > LAYERS.index(here):
            yield f"{path}: looks up to {inc}"
        elif there not in SEES.get(here, set(LAYERS)):
            yield f"{path}: looks across to {inc}"


def check_below_cli(path, code):
    for n, line in enumerate(code.split("\n"), 1):
        for call in BANNED.findall(line):
            if call not in MAY_CALL.get(path, ()):
                yield f"{path}:{n}: calls {call} below the command line"
        m = re.match(r"\s+static\s+(?!inline|const\b|_Thread_local)(.*)", line)
        if m and is_mutable(m.group(1)) and path not in MAY_HAVE_GLOBALS:
            yield f"{path}:{n}: a static local that can change"
    for kind, head, _, last in top_level(code):
        if kind == "body" or path in MAY_HAVE_GLOBALS or not head or "(" in head.split("=")[0]:
            continue
        if re.match(r"(typedef|struct|enum|union|extern)\b[^=]*$", head) and not re.match(r"(struct|enum|union)\s+\w+[\s*]+\w", head):
            continue
        if re.match(r"_Static_assert", head):
            continue
        if is_mutable(head):
            yield f"{path}:{last}: a global that can change"


def check_header(path, text):
    if not text.startswith("/*"):
        yield f"{path}: a header opens with a comment that says what it is for"
    if path.endswith(".h") and not path.startswith(TEMPLATES) and not re.search(r"^#ifndef (\w+)\n#define \1$", text, re.M):
        yield f"{path}: no include guard"


def check_form(stats):
    bad, lengths = [], []
    for path in tracked("src/*.[ch]", "src/*.inc", "include/*.h", "main.c", "examples/*.c", "scripts/*.c"):
        text = read(path)
        code, here, lines = blank_out(text), layer_of(path), text.count("\n")
        limit = PUBLIC_LINES if path.startswith("include/") else FILE_LINES
        if lines > limit:
            bad.append(f"{path}: {lines} lines, the limit is {limit}")
        bad += check_includes(path, text)
        if here in LAYERS and here != "cli":
            bad += check_below_cli(path, code)
        if path.endswith(".h"):
            bad += check_header(path, text)
        for name, first, length in functions(code):
            lengths.append((length, f"{path}:{first}: {name}"))
            if length > FUNCTION_LINES and here != "kernel":
                bad.append(f"{path}:{first}: {name} has {length} lines, the limit is {FUNCTION_LINES}")
    bad += check_lengths(lengths, stats)
    for path in tracked("*.c", "*.h", "*.inc", "*.py", "*.sh", "Makefile", "*.md"):
        for n, line in enumerate(read(path).split("\n"), 1):
            if line.endswith((" ", "\t")) and not path.endswith(".md"):
                bad.append(f"{path}:{n}: blanks at the end of the line")
            if "\t" in line and path.endswith((".c", ".h", ".inc")):
                bad.append(f"{path}:{n}: a tab")
            if UNDONE.search(line):
                bad.append(f"{path}:{n}: work left undone: {line.strip()[:60]}")
    return bad


def check_lengths(lengths, stats):
    if not lengths:
        return
    sizes = sorted(n for n, _ in lengths)
    median, ninth = statistics.median(sizes), sizes[min(len(sizes) - 1, len(sizes) * 9 // 10)]
    if stats:
        print(f"{len(sizes)} functions: median {median:g} lines, nine in ten within {ninth}, longest {sizes[-1]}")
        for n, where in sorted(lengths, reverse=True)[:8]:
            print(f"  {n:4} {where}")
    if median > MEDIAN:
        yield f"functions have a median of {median:g} lines, the limit is {MEDIAN}"
    if ninth >= NINE_IN_TEN:
        yield f"nine in ten functions have up to {ninth} lines, the limit is {NINE_IN_TEN}"


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr


def check_format():
    files = tracked("*.c", "*.h", "*.inc")
    status, out = run(["clang-format", "--dry-run", "-Werror", *files])
    return [line for line in out.split("\n") if "error:" in line][:40] if status else []


def compile_flags(path):
    packages = ["libcjson", "openblas", "libpcre2-8", "libutf8proc", "libxxhash"]
    _, out = run(["pkg-config", "--cflags", *packages])
    avx512 = "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c"
    isa = {"avx2": "-mavx2 -mfma -mf16c", "avxvnni": "-mavx2 -mfma -mf16c -mavxvnni", "avx512": avx512,
           "avx512vnni": f"{avx512} -mavx512vnni", "avx512bf16": f"{avx512} -mavx512bf16"}
    extra = next((flags for name, flags in isa.items() if f"/{name}/" in path), "")
    return ["-std=gnu11", "-D_GNU_SOURCE", "-Iinclude", "-Isrc", *out.split(), *extra.split()]


def tidy_key(path, flags):
    """A hash of all that clang-tidy's answer for one file depends on."""
    _, rule = run(["clang", *flags, "-MM", path])
    parts = sorted(set(re.findall(r"[\w./-]+\.(?:h|c|inc)\b", rule))) + [".clang-tidy", "scripts/lint.py"]
    return hashlib.sha256("\0".join(p + read(p) for p in parts if os.path.isfile(p)).encode()).hexdigest()


def tidy_one(path):
    flags = compile_flags(path)
    stamp = "build/lint/" + path.replace("/", "_") + ".ok"
    key = tidy_key(path, flags)
    if os.path.exists(stamp) and read(stamp) == key:
        return ""
    status, out = run(["clang-tidy", "--quiet", path, "--", *flags])
    found = "\n".join(line for line in out.split("\n") if re.search(r": (warning|error):", line))
    if status or found:
        return found or f"{path}: clang-tidy failed: {out[-300:]}"
    with open(stamp, "w") as f:
        f.write(key)
    return ""


def check_tidy():
    os.makedirs("build/lint", exist_ok=True)
    files = [f for f in tracked("src/*.c", "main.c", "scripts/*.c") if "neon" not in f]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for out in pool.map(tidy_one, files) for line in out.split("\n") if line]


def check_cppcheck():
    os.makedirs("build/lint/cppcheck", exist_ok=True)
    roots = [p for p in ("src", "main.c", "examples") if os.path.exists(p)]
    status, out = run(["cppcheck", "--quiet", "--std=c11", "--language=c", "--enable=warning,performance,portability", "--inline-suppr",
                       "--suppressions-list=.cppcheck", "--error-exitcode=1", "--cppcheck-build-dir=build/lint/cppcheck",
                       f"-j{os.cpu_count()}", "-Iinclude", "-Isrc", "-D_GNU_SOURCE", "-D__x86_64__", "-D__BYTE_ORDER__=1",
                       "-D__ORDER_LITTLE_ENDIAN__=1", "--template={file}:{line}: {id}: {message}", *roots])
    return [line for line in out.split("\n") if line.strip()] if status else []


def main():
    steps = [("form", lambda: check_form("--stats" in sys.argv))]
    if "--form" not in sys.argv:
        for tool, step in (("clang-format", check_format), ("clang-tidy", check_tidy), ("cppcheck", check_cppcheck)):
            missing = [f"{tool} is not installed (scripts/test.sh --full installs it)"]
            steps.append((tool, step if shutil.which(tool) else lambda missing=missing: missing))
    failed = 0
    for name, step in steps:
        found = step()
        print(f"{name}: {'clean' if not found else f'{len(found)} found'}", flush=True)
        for line in found:
            print("  " + line)
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
