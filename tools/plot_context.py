#!/usr/bin/env python3
"""Draws what a decode step costs against its context, from the JSON of `headway bench context`.

    build/release/headway bench context phi.pkg --threads 2 --json > context.json
    tools/plot_context.py context.json -o docs/context.svg
"""
import argparse
import json
import pathlib

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 60, 46, 34, 20


def polyline(points, colour, dash=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {dash}/>'


def text(x, y, words, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def draw(report):
    rows = [row for row in report["rows"] if row["table"] == "context"]
    model = report["model"]
    first = rows[0]["ms"]
    longest, highest = rows[-1]["tokens"], 1.1 * max(row["max"] for row in rows)
    x = lambda tokens: LEFT + (WIDTH - LEFT - RIGHT) * tokens / longest
    y = lambda ms: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * ms / highest
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             text(LEFT, 20, f"{model['name']}, {model['instruction_set']}, {model['threads']} threads: ms a decode step against tokens of context", "start")]
    for row in rows:
        lines.append(text(x(row["tokens"]), HEIGHT - BOTTOM + 18, f"{row['tokens']:.0f}") if row["tokens"] >= longest / 8 else "")
    for i in range(6):
        value = highest * i / 5
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        lines.append(text(LEFT - 6, y(value) + 4, f"{value:.0f}", "end"))
    lines.append(polyline([(x(r["tokens"]), y(first + r["reading_ms"])) for r in rows], "#888", 'stroke-dasharray="6 4"'))
    lines.append(polyline([(x(r["tokens"]), y(first + 1.15 * r["reading_ms"])) for r in rows], "#c33", 'stroke-dasharray="2 4"'))
    lines.append(polyline([(x(r["tokens"]), y(r["ms"])) for r in rows], "#1668b8"))
    for row in rows:
        lines.append(f'<line x1="{x(row["tokens"]):.1f}" x2="{x(row["tokens"]):.1f}" y1="{y(row["min"]):.1f}" y2="{y(row["max"]):.1f}" stroke="#1668b8"/>')
        lines.append(f'<circle cx="{x(row["tokens"]):.1f}" cy="{y(row["ms"]):.1f}" r="3" fill="#1668b8"/>')
    for i, (words, colour) in enumerate((("measured: median, bars from least to most", "#1668b8"),
                                         ("reading keys and values at the bandwidth of the same rounds", "#888"), ("that plus 15 %", "#c33"))):
        lines.append(f'<text x="{LEFT + 16}" y="{TOP + 18 + 17 * i}" fill="{colour}">{words}</text>')
    return "\n".join(line for line in lines + ["</svg>"] if line) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.output.write_text(draw(json.loads(args.report.read_text())))


if __name__ == "__main__":
    main()
