#!/usr/bin/env python3
"""Draws what scripts/bench_memory.py --json wrote: tokens per second against the memory limit, as SVG for light and dark pages.

usage: plot_memory.py RESULT.json [MORE.json...] -o OUT.svg

Points are medians of the rounds, bars reach from the slowest to the fastest one; the dashed line is what the disk could give
(its rate over the bytes that llm-run read for each token). A program that gave no answer stands as a cross below the axis.
Of several files that hold the same limit the last one counts.
"""
import argparse
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 430, 70, 20, 74, 66
NONE = HEIGHT - BOTTOM + 14  # where the crosses stand
MIB = 1 << 20
PROGRAMS = [("llm-run", "ours"), ("llama.cpp", "peer")]
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 15px; font-weight: 600 } .small { font-size: 12px; fill: #59636e }
  .page { fill: #ffffff } .grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
  .ours { stroke: #0969da; fill: #0969da } .peer { stroke: #bc4c00; fill: #bc4c00 } .bound { stroke: #59636e; stroke-dasharray: 5 4 }
  .line { fill: none; stroke-width: 2 } .bar { stroke-width: 1.5; opacity: .6 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .page { fill: #0d1117 } .grid { stroke: #3d444d } .axis { stroke: #9198a1 }
    .ours { stroke: #4493f8; fill: #4493f8 } .peer { stroke: #f0883e; fill: #f0883e } .bound { stroke: #9198a1 }
    .line { fill: none }
  }
"""


def read(paths):
    """(facts of the last file, summaries by limit)."""
    by_limit, facts = {}, {}
    for path in paths:
        with open(path, encoding="utf-8") as f:
            facts = json.load(f)
        by_limit.update({s["limit"]: s for s in facts["summary"]})
    return facts, [by_limit[limit] for limit in sorted(by_limit)]


def bound_of(s):
    return s["disk"] / s["bytes_per_token"] if s["bytes_per_token"] else None


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Scale:
    """Limits to x, linear; tokens per second to y, logarithmic."""

    def __init__(self, summaries, weights):
        limits = [s["limit"] for s in summaries] + [weights]
        rates = [r for s in summaries for found in s["range"].values() for r in found if r] + [b for b in map(bound_of, summaries) if b]
        self.most = max(limits) * 1.06
        self.low = 10 ** math.floor(math.log10(min(rates, default=0.1)))
        self.high = max(rates, default=10) * 1.3

    def x(self, limit):
        return LEFT + (WIDTH - LEFT - RIGHT) * limit / self.most

    def y(self, rate):
        share = math.log(rate / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def x_ticks(self):
        step = next(s for s in (100, 200, 250, 500, 1000, 2000, 4000, 8000, 16000, 1 << 40) if self.most / MIB / s <= 8)
        return [n * step for n in range(int(self.most / MIB / step) + 1)]

    def y_ticks(self):
        ticks = [m * 10.0 ** e for e in range(-4, 5) for m in (1, 2, 5)]
        return [t for t in ticks if self.low * 0.999 <= t <= self.high]


def line(x1, y1, x2, y2, name):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{name}"/>'


def text(x, y, words, name="", anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{name}"{more}>{escape(words)}</text>'


def path(points, name):
    return f'<path d="M{" L".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="line {name}"/>' if len(points) > 1 else ""


def dot(x, y, name):
    """A circle is ours, a square the peer's: colour is not all that tells them apart."""
    if name == "ours":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="ours"/>'
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" class="peer"/>'


def cross(x, y, name):
    return line(x - 4, y - 4, x + 4, y + 4, f"line {name}") + line(x - 4, y + 4, x + 4, y - 4, f"line {name}")


def axes(scale, weights):
    bottom, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    for t in scale.y_ticks():
        yield line(LEFT, scale.y(t), WIDTH - RIGHT, scale.y(t), "grid") + text(LEFT - 8, scale.y(t) + 4, f"{t:g}", "small", "end")
    for t in scale.x_ticks():
        yield line(scale.x(t * MIB), bottom, scale.x(t * MIB), bottom + 5, "axis") + text(scale.x(t * MIB), bottom + 36, f"{t:,}", "small")
    yield line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis") + line(LEFT, TOP, LEFT, bottom, "axis")
    yield line(scale.x(weights), TOP, scale.x(weights), bottom, "axis") + text(scale.x(weights) - 6, bottom - 8, "size of the weights", "small", "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "memory limit, MiB")
    yield text(18, middle, "tokens per second (log scale)", more=f' transform="rotate(-90 18 {middle:.1f})"')


def curve(scale, summaries, program, name):
    alive = [(scale.x(s["limit"]), scale.y(s["tok_s"][program]), s["range"][program]) for s in summaries if s["tok_s"].get(program)]
    yield path([(x, y) for x, y, _ in alive], name)
    for x, y, (least, most) in alive:
        yield line(x, scale.y(max(least, scale.low)), x, scale.y(most), f"bar {name}") + dot(x, y, name)
    for s in summaries:
        if s["tok_s"].get(program) == 0:
            both = all(s["tok_s"].get(p) == 0 for p, _ in PROGRAMS)
            yield cross(scale.x(s["limit"]) + (0 if not both else -6 if name == "ours" else 6), NONE, name)


def legend(facts, bound):
    x, y = LEFT, 48
    for program, name in PROGRAMS:
        yield line(x, y - 4, x + 26, y - 4, f"line {name}") + dot(x + 13, y - 4, name) + text(x + 34, y, program, anchor="start")
        x += 120
    if bound:
        yield line(x, y - 4, x + 26, y - 4, "line bound") + text(x + 34, y, "what the disk could give llm-run", anchor="start")
        x += 262
    yield cross(x + 6, y - 4, "axis") + text(x + 18, y, "no answer", anchor="start")
    yield text(LEFT, 24, f"{facts['model']}: {facts['weights'] / MIB:,.0f} MiB of weights, {facts['threads']} threads", "title", "start")


def draw(facts, summaries):
    scale = Scale(summaries, facts["weights"])
    bound = [(scale.x(s["limit"]), scale.y(bound_of(s))) for s in summaries if bound_of(s)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
             "<title>Tokens per second against the memory limit</title>", f"<style>{STYLE}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" class="page"/>', *axes(scale, facts["weights"]), path(bound, "bound")]
    for program, name in reversed(PROGRAMS):
        parts += curve(scale, summaries, program, name)
    return "\n".join(part for part in [*parts, *legend(facts, bound), "</svg>"] if part) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("results", nargs="+", metavar="RESULT.json")
    p.add_argument("-o", "--output", required=True, metavar="OUT.svg")
    a = p.parse_args()
    facts, summaries = read(a.results)
    if not summaries:
        sys.exit("plot_memory.py: no limit was measured")
    with open(a.output, "w", encoding="utf-8") as f:
        f.write(draw(facts, summaries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
