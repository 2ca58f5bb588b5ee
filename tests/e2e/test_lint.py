"""scripts/lint.py sees what it is there to see: one broken rule at a time, in a small tree of its own."""
import os
import subprocess
import sys

import pytest

LINT = os.path.abspath("scripts/lint.py")
HEADER = "/* x.h - for tests. */\n#ifndef X_H\n#define X_H\nint x(void);\n#endif\n"
LONG = "int x(void) {\n" + "    ;\n" * 90 + "}\n"

BROKEN = {
    "looks up": ("src/base/a.c", '#include "run/engine.h"\n'),
    "looks across": ("src/kernel/a.c", '#include "format/json.h"\n'),
    "home is src/format/json": ("src/model/a.c", "#include <cjson/cJSON.h>\n"),
    "home is src/kernel/blas": ("src/run/a.c", "#include <cblas.h>\n"),
    "home is src/text/": ("src/format/a.c", "#include <pcre2.h>\n"),
    "calls exit": ("src/run/a.c", "void f(void) {\n    exit(1);\n}\n"),
    "calls getenv": ("src/sys/a.c", 'const char *f(void) {\n    return getenv("HOME");\n}\n'),
    "calls malloc": ("src/text/a.c", "void *f(void) {\n    return malloc(1);\n}\n"),
    "a global that can change": ("src/text/a.c", "static int counter;\n"),
    "static local that can change": ("src/text/a.c", "int f(void) {\n    static int n;\n    return n++;\n}\n"),
    "has 92 lines": ("src/text/a.c", LONG),
    "lines, the limit is 500": ("src/text/a.c", "\n" * 501),
    "lines, the limit is 250": ("include/a.h", HEADER + "\n" * 250),
    "no include guard": ("src/text/a.h", "/* a.h */\nint f(void);\n"),
    "opens with a comment": ("src/text/a.h", HEADER.split("\n", 1)[1]),
    "blanks at the end": ("src/text/a.c", "int a;  \n"),
    "a tab": ("src/text/a.c", "\tint a;\n"),
    "work left undone": ("src/text/a.c", "/* TO" "DO */\n"),
}
FINE = {
    "src/text/a.c": '#include "format/json.h"\n#include <pcre2.h>\nstatic const char *const names[] = {"exit(1)"};\n'
    "/* printf(x) */\nstruct s {\n    int (*exit)(int);\n};\nint f(struct s *s) {\n    lr_free(s);\n    return s->exit(1);\n}\n",
    "src/cli/a.c": '#include "run/engine.h"\nvoid f(void) {\n    printf("x");\n}\n',
    "src/kernel/generic/a.c": LONG,
    "src/base/b.c": "int x(void) {\n}\n" * 20,
    "src/text/x.h": HEADER,
}


def lint(tree):
    done = subprocess.run([sys.executable, LINT, "--form"], cwd=tree, capture_output=True, text=True)
    return done.returncode, done.stdout


def write(tree, path, text):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_rule_is_named(tmp_path, message):
    write(tmp_path, *BROKEN[message])
    status, out = lint(tmp_path)
    assert status == 1 and message in out and BROKEN[message][0] in out


def test_what_is_allowed_is_not_named(tmp_path):
    for path, text in FINE.items():
        write(tmp_path, path, text)
    status, out = lint(tmp_path)
    assert status == 0, out


def test_this_tree_is_clean():
    status, out = lint(".")
    assert status == 0, out
