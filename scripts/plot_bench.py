#!/usr/bin/env python3
"""Draws what llm-run --bench -v --json wrote: each operation's share of the limit that binds it, as SVG for light and dark pages.

usage: plot_bench.py RESULT.json -o OUT.svg

One panel for each test. A bar's length is the least time that the limit allows over the time that was taken (100 %: no faster on this
machine), its colour the kind of limit; the figure on the right is the operation's part of the whole time.
"""
import argparse
import json
import sys

WIDTH, LEFT, RIGHT, TOP, ROW, GAP = 720, 110, 150, 78, 20, 46
KINDS = {"memory": "memory", "cache": "cache", "disk": "disk"}  # every other limit is arithmetic
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 15px; font-weight: 600 } .small { font-size: 12px; fill: #59636e }
  .page { fill: #ffffff } .grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
  .memory { fill: #0969da } .cache { fill: #8250df } .disk { fill: #bf8700 } .arithmetic { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .page { fill: #0d1117 } .grid { stroke: #3d444d } .axis { stroke: #9198a1 }
    .memory { fill: #4493f8 } .cache { fill: #ab7df8 } .disk { fill: #d29922 } .arithmetic { fill: #f0883e }
  }
"""


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text(x, y, words, name="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{name}">{escape(words)}</text>'


def line(x1, y1, x2, y2, name):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{name}"/>'


def bar(x, y, width, name):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{ROW - 6}" class="{name}"/>'


def x_of(share, most):
    return LEFT + (WIDTH - LEFT - RIGHT) * share / most


def row(part, whole, y, most):
    yield text(LEFT - 8, y + 11, part["operation"], anchor="end")
    if part["share"]:
        yield bar(LEFT, y, x_of(part["share"], most) - LEFT, KINDS.get(part["limit"], "arithmetic"))
        yield text(x_of(part["share"], most) + 5, y + 11, f"{100 * part['share']:.0f} % of {part['limit']}", "small")
    yield text(WIDTH - 12, y + 11, f"{100 * part['seconds'] / whole:.1f} % of the time", "small", "end")


def panel(test, result, y, most):
    bottom = y + 8 + ROW * len(test["parts"])
    yield text(LEFT, y, f"{test['test']}: {result['tok_s_mean']:,.1f} tokens/s")
    for percent in range(0, int(100 * most) + 1, 25):
        yield line(x_of(percent / 100, most), y + 8, x_of(percent / 100, most), bottom, "axis" if percent in (0, 100) else "grid")
        yield text(x_of(percent / 100, most), bottom + 14, f"{percent} %", "small", "middle")
    for i, part in enumerate(test["parts"]):
        yield from row(part, test["pass_s"], y + 11 + ROW * i, most)


def legend(found):
    yield text(LEFT, 24, f"{found['model'].rstrip('/').split('/')[-1]}: each operation's share of the limit that binds it", "title")
    x = LEFT
    for name in ("memory", "cache", "disk", "arithmetic"):
        yield bar(x, 38, 14, name) + text(x + 20, 49, name)
        x += 100
    yield text(WIDTH - 12, 49, f"{found['processor']}, {found['threads']} threads, {found['isa']}", "small", "end")


def draw(found):
    results = {r["test"]: r for r in found["results"]}
    most = max([1.0] + [p["share"] for t in found["operations"] for p in t["parts"] if p["share"]])
    heights = [8 + ROW * len(t["parts"]) + GAP for t in found["operations"]]
    height = TOP + sum(heights)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             "<title>Each operation's share of the limit that binds it</title>", f"<style>{STYLE}</style>",
             f'<rect width="{WIDTH}" height="{height}" class="page"/>', *legend(found)]
    for i, test in enumerate(found["operations"]):
        parts += panel(test, results[test["test"]], TOP + sum(heights[:i]), most)
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("result", metavar="RESULT.json")
    p.add_argument("-o", "--output", required=True, metavar="OUT.svg")
    a = p.parse_args()
    with open(a.result, encoding="utf-8") as f:
        found = json.load(f)
    if not found.get("operations"):
        sys.exit(f"plot_bench.py: {a.result} has no operations: it wants the output of llm-run --bench -v --json")
    with open(a.output, "w", encoding="utf-8") as f:
        f.write(draw(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
